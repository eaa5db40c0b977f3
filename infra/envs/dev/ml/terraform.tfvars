environment = "dev"
project_id  = "example-dev"
region      = "europe-west1"

state_bucket = "example-infra-state"

schedules = {
  train = {
    cron         = "0 4 * * *"
    template_uri = "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines/train/v7"
    parameters   = { epochs = "1" }
    paused       = true
  }
}
