module "project" {
  source = "../.."

  project_id      = "example-shop-prod"
  name            = "Shop prod"
  folder_id       = "1002"
  billing_account = "012345-567890-ABCDEF"

  budget = {
    amount   = 5000
    currency = "EUR"
    percents = [25, 50, 75, 100, 120]
    emails   = { shop = "shop@example.com", finance = "finance@example.com" }
  }

  services         = ["run.googleapis.com", "secretmanager.googleapis.com", "sqladmin.googleapis.com"]
  audited_services = ["secretmanager.googleapis.com", "storage.googleapis.com"]
  labels           = { team = "shop" }
}
