mock_provider "google" {}

variables {
  project_id = "example-prod"
  name       = "shop"
  emails     = { team = "shop@example.com" }
  uptime     = { shop = { host = "shop.example.com" } }
}

run "checks_use_tls_and_validate_it" {
  command = plan

  assert {
    condition     = google_monitoring_uptime_check_config.this["shop"].http_check[0].use_ssl && google_monitoring_uptime_check_config.this["shop"].http_check[0].validate_ssl
    error_message = "A certificate that has expired is a failure."
  }

  assert {
    condition     = google_monitoring_uptime_check_config.this["shop"].log_check_failures
    error_message = "Why a check failed is logged."
  }
}
