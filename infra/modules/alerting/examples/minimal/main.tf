module "alerting" {
  source = "../.."

  project_id = "example-dev"
  name       = "shop"
  emails     = { team = "shop@example.com" }

  uptime = {
    shop = { host = "shop.dev.example.com" }
  }
}
