module "pipeline" {
  source = "../.."

  project_id = "example-prod"
  region     = "europe-west1"
  name       = "ml"

  schedules = {
    train = {
      cron         = "TZ=Europe/Paris 0 4 * * MON"
      template_uri = "https://europe-west1-kfp.pkg.dev/example-prod/ml-pipelines/train/v7"
      parameters   = { epochs = "20" }
    }
    evaluate = {
      cron         = "30 * * * *"
      template_uri = "https://europe-west1-kfp.pkg.dev/example-prod/ml-pipelines/evaluate/v2"
      paused       = true
    }
  }

  readers       = { web = "serviceAccount:web-run@example-prod.iam.gserviceaccount.com" }
  publishers    = { build = "serviceAccount:ml-build@example-prod.iam.gserviceaccount.com" }
  artifact_days = 180
  labels        = { team = "ml" }
}
