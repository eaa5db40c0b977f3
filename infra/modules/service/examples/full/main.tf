module "service" {
  source = "../.."

  project_id = "example-prod"
  region     = "europe-west1"
  name       = "web"
  image      = "europe-docker.pkg.dev/example-infra/apps/web@sha256:9b2c2f3a5d8f4f0e6f1f7c1f2a0d6f4b8c3e5a7d9f1b3c5e7a9d1f3b5c7e9a1d"

  container = {
    port          = 9000
    cpu           = "2"
    memory        = "1Gi"
    startup_path  = "/ready"
    liveness_path = "/healthz"
  }

  env     = { LOG_LEVEL = "info" }
  secrets = { DB_PASSWORD = { secret = "db-password", version = "3" } }

  scaling         = { min = 2, max = 20 }
  concurrency     = 40
  timeout_seconds = 30

  vpc = {
    network    = "projects/example-prod/global/networks/prod"
    subnetwork = "projects/example-prod/regions/europe-west1/subnetworks/prod-main"
    egress     = "ALL_TRAFFIC"
  }

  ingress  = "INGRESS_TRAFFIC_INTERNAL_ONLY"
  invokers = { gateway = "serviceAccount:gateway@example-prod.iam.gserviceaccount.com" }
  labels   = { team = "web" }
}
