mock_provider "google" {
  override_during = plan

  mock_resource "google_monitoring_uptime_check_config" {
    defaults = {
      uptime_check_id = "shop-1a2b3c"
    }
  }

  mock_resource "google_monitoring_notification_channel" {
    defaults = {
      id = "projects/example-dev/notificationChannels/2002"
    }
  }
}

variables {
  project_id = "example-dev"
  name       = "shop"
  emails     = { team = "shop@example.com" }
  channels   = ["projects/example-dev/notificationChannels/1001"]
  uptime     = { shop = { host = "shop.example.com", contains = "ok" } }
  error_rates = {
    shop = { service = "shop", percent = 2 }
  }
}

run "an_uptime_check_has_an_alert" {
  command = plan

  assert {
    condition     = strcontains(google_monitoring_alert_policy.uptime["shop"].conditions[0].condition_threshold[0].filter, "check_id = \"shop-1a2b3c\"")
    error_message = "The alert watches its own check."
  }

  assert {
    condition     = google_monitoring_alert_policy.uptime["shop"].conditions[0].condition_threshold[0].threshold_value == 1
    error_message = "One region that fails is not yet an alert."
  }

  assert {
    condition     = one(google_monitoring_uptime_check_config.this["shop"].content_matchers).content == "ok"
    error_message = "The answer must hold the text that was given."
  }
}

run "an_error_rate_is_a_share" {
  command = plan

  assert {
    condition     = google_monitoring_alert_policy.errors["shop"].conditions[0].condition_threshold[0].threshold_value == 0.02
    error_message = "Two per cent are a fiftieth."
  }

  assert {
    condition     = !strcontains(google_monitoring_alert_policy.errors["shop"].conditions[0].condition_threshold[0].denominator_filter, "5xx") && strcontains(google_monitoring_alert_policy.errors["shop"].conditions[0].condition_threshold[0].filter, "5xx")
    error_message = "Errors are compared with all answers."
  }
}

run "everybody_is_told" {
  command = plan

  assert {
    condition = alltrue([
      for policy in concat(values(google_monitoring_alert_policy.uptime), values(google_monitoring_alert_policy.errors)) :
      policy.notification_channels == tolist(["projects/example-dev/notificationChannels/2002", "projects/example-dev/notificationChannels/1001"])
    ])
    error_message = "Every alert goes to every channel."
  }
}
