environment = "prod"
project_id  = "example-prod"
region      = "europe-west1"

state_bucket = "example-infra-state"

image               = "europe-docker.pkg.dev/example-infra/apps/web:1.4.0"
scaling             = { min = 2, max = 20 }
deletion_protection = true

invokers = {
  gateway = "serviceAccount:gateway@example-prod.iam.gserviceaccount.com"
}
