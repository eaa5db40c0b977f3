module "sql" {
  source = "../.."

  project_id       = "example-prod"
  name             = "shop"
  region           = "europe-west1"
  network          = "projects/example-prod/global/networks/prod"
  database_version = "POSTGRES_17"
  edition          = "ENTERPRISE_PLUS"
  tier             = "db-perf-optimized-N-2"
  disk             = { gigabytes = 100, limit = 2000 }
  backup           = { keep = 90, start = "01:30", location = "eu", log_days = 35 }
  maintenance      = { day = 6, hour = 4 }
  databases        = ["shop", "reports"]

  users = {
    shop    = "serviceAccount:shop-run@example-prod.iam.gserviceaccount.com"
    support = "group:support@example.com"
  }

  flags   = { "log_min_duration_statement" = "1000" }
  kms_key = "projects/example-keys/locations/europe-west1/keyRings/apps/cryptoKeys/sql"
  labels  = { team = "shop" }
}
