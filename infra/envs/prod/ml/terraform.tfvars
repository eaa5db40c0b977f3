environment = "prod"
project_id  = "example-prod"
region      = "europe-west1"

state_bucket = "example-infra-state"

schedules = {
  train = {
    cron         = "0 4 * * *"
    template_uri = "https://europe-west1-kfp.pkg.dev/example-prod/ml-pipelines/train/v7"
    parameters   = { epochs = "20" }
    paused       = false
  }
}
