module "alerting" {
  source = "../.."

  project_id = "example-prod"
  name       = "shop"
  emails     = { team = "shop@example.com", lead = "ada@example.com" }
  channels   = ["projects/example-prod/notificationChannels/1001"]

  uptime = {
    shop   = { host = "shop.example.com", path = "/health", contains = "ok", runbook = "See **runbooks/shop.md**." }
    status = { host = "status.example.com", every_seconds = 300, severity = "WARNING" }
  }

  error_rates = {
    shop = { service = "shop", percent = 2, for_seconds = 600 }
  }

  labels = { team = "shop" }
}
