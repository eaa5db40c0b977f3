mock_provider "google" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = keys(module.alerting.alerts) == ["uptime/shop"]
    error_message = "The smallest one has one alert."
  }
}

run "full" {
  command = plan

  module {
    source = "./examples/full"
  }

  assert {
    condition     = keys(module.alerting.alerts) == ["errors/shop", "uptime/shop", "uptime/status"] && length(module.alerting.channels) == 2
    error_message = "The full one watches two addresses and one service."
  }
}
