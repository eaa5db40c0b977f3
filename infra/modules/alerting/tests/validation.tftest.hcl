mock_provider "google" {}

variables {
  project_id = "example-dev"
  name       = "shop"
  emails     = { team = "shop@example.com" }
}

run "project_number_is_refused" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "empty_name_is_refused" {
  command = plan
  variables {
    name = " "
  }
  expect_failures = [var.name]
}

run "nobody_is_refused" {
  command = plan
  variables {
    emails = {}
  }
  expect_failures = [var.emails]
}

run "no_address_is_refused" {
  command = plan
  variables {
    emails = { team = "shop" }
  }
  expect_failures = [var.emails]
}

run "channel_without_its_project_is_refused" {
  command = plan
  variables {
    channels = ["1001"]
  }
  expect_failures = [var.channels]
}

run "address_as_host_is_refused" {
  command = plan
  variables {
    uptime = { shop = { host = "https://shop.example.com" } }
  }
  expect_failures = [var.uptime]
}

run "odd_period_is_refused" {
  command = plan
  variables {
    uptime = { shop = { host = "shop.example.com", every_seconds = 30 } }
  }
  expect_failures = [var.uptime]
}

run "unknown_severity_is_refused" {
  command = plan
  variables {
    uptime = { shop = { host = "shop.example.com", severity = "HIGH" } }
  }
  expect_failures = [var.uptime]
}

run "share_above_all_is_refused" {
  command = plan
  variables {
    error_rates = { shop = { service = "shop", percent = 100 } }
  }
  expect_failures = [var.error_rates]
}

run "service_by_address_is_refused" {
  command = plan
  variables {
    error_rates = { shop = { service = "https://shop.run.app" } }
  }
  expect_failures = [var.error_rates]
}
