environment = "dev"
project_id  = "example-dev"
region      = "europe-west1"

state_bucket = "example-infra-state"

image               = "europe-docker.pkg.dev/example-infra/apps/web:1.4.0"
scaling             = { min = 0, max = 2 }
deletion_protection = false

invokers = {
  gateway = "serviceAccount:gateway@example-dev.iam.gserviceaccount.com"
}
