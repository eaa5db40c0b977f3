environment = "staging"
project_id  = "example-staging"
region      = "europe-west1"

state_bucket = "example-infra-state"

image               = "europe-docker.pkg.dev/example-infra/apps/web:1.4.0"
scaling             = { min = 0, max = 4 }
deletion_protection = false

invokers = {
  gateway = "serviceAccount:gateway@example-staging.iam.gserviceaccount.com"
}
