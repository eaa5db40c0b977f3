mock_provider "google" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = keys(module.network.subnets) == ["main"] && keys(module.network.firewall_rules) == ["deny_ingress"]
    error_message = "The smallest network has one subnetwork and lets nothing in."
  }
}

run "full" {
  command = plan

  module {
    source = "./examples/full"
  }

  assert {
    condition     = keys(module.network.nats) == ["europe-west1", "europe-west4"] && length(module.network.firewall_rules) == 3
    error_message = "The full one spans two regions and has two rules."
  }
}
