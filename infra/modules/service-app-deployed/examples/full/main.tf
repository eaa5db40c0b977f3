module "service" {
  source = "../.."

  project_id  = "example-prod"
  region      = "europe-west1"
  name        = "web"
  first_image = "europe-docker.pkg.dev/example-infra/apps/placeholder:1"

  secrets         = ["db-password"]
  scaling         = { min = 2, max = 20 }
  concurrency     = 40
  timeout_seconds = 30

  vpc = {
    network    = "projects/example-prod/global/networks/prod"
    subnetwork = "projects/example-prod/regions/europe-west1/subnetworks/prod-main"
  }

  ingress   = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  invokers  = { gateway = "serviceAccount:gateway@example-prod.iam.gserviceaccount.com" }
  deployers = { app = "serviceAccount:web-deploy@example-prod.iam.gserviceaccount.com" }
  labels    = { team = "web" }
}
