module "service" {
  source = "../.."

  project_id = "example-dev"
  region     = "europe-west1"
  name       = "web"

  deployers = { app = "serviceAccount:web-deploy@example-dev.iam.gserviceaccount.com" }
}
