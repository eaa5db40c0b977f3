module "secret" {
  source = "../.."

  project_id = "example-prod"
  name       = "shop-api-key"
  readers    = { shop = "serviceAccount:shop-run@example-prod.iam.gserviceaccount.com" }
  writers    = { ops = "group:ops@example.com" }
  locations  = ["europe-west1", "europe-west4"]

  kms_keys = {
    europe-west1 = "projects/example-keys/locations/europe-west1/keyRings/apps/cryptoKeys/secrets"
    europe-west4 = "projects/example-keys/locations/europe-west4/keyRings/apps/cryptoKeys/secrets"
  }

  rotation = {
    days  = 90
    first = "2027-01-04T04:00:00Z"
    topic = "projects/example-prod/topics/rotate"
  }

  version_destroy_days = 30
  labels               = { team = "shop" }
}
