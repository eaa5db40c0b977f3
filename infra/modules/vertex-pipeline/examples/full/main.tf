module "pipeline" {
  source = "../.."

  project_id = "example-prod"
  region     = "europe-west1"
  name       = "ml"

  schedules = {
    train = {
      cron         = "TZ=Europe/Paris 0 4 * * MON"
      template_uri = "https://europe-west1-kfp.pkg.dev/example-prod/ml-pipelines/train/sha256:f94bc0a8a0a4c96fe3a89e71050ff05a3dc1aa69b7992f9511482650473c9c75"
      parameters   = { epochs = "20" }
    }
    evaluate = {
      cron         = "30 * * * *"
      template_uri = "https://europe-west1-kfp.pkg.dev/example-prod/ml-pipelines/evaluate/sha256:97b6226172f829d050267a3db8428ba00af2cb4e2e8724dd88569494c3b7bc00"
      paused       = true
      clock        = "scheduler"
    }
  }

  readers        = { web = "serviceAccount:web-run@example-prod.iam.gserviceaccount.com" }
  publishers     = { build = "serviceAccount:ml-build@example-prod.iam.gserviceaccount.com" }
  alert_channels = { team = "projects/example-prod/notificationChannels/1001" }

  artifact_days = 180
  labels        = { team = "ml" }
}
