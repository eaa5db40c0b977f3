environment = "prod"
project_id  = "example-prod"
region      = "europe-west1"

state_bucket = "example-infra-state"

schedules = {
  train = {
    cron         = "0 4 * * *"
    template_uri = "https://europe-west1-kfp.pkg.dev/example-prod/ml-pipelines/train/sha256:f94bc0a8a0a4c96fe3a89e71050ff05a3dc1aa69b7992f9511482650473c9c75"
    parameters   = { epochs = "20" }
    paused       = false
  }
}
