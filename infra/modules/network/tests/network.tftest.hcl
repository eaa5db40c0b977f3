mock_provider "google" {}

variables {
  project_id = "example-dev"
  name       = "dev"
  subnets = {
    main = { region = "europe-west1", ip_cidr_range = "10.10.0.0/20" }
  }
}

run "one_region" {
  command = plan

  assert {
    condition     = google_compute_network.this.auto_create_subnetworks == false
    error_message = "The network makes no subnetworks of its own."
  }

  assert {
    condition     = google_compute_subnetwork.this["main"].name == "dev-main"
    error_message = "A subnetwork is named after its network."
  }

  assert {
    condition     = length(google_compute_router.this) == 1 && google_compute_router_nat.this["europe-west1"].router == "dev-europe-west1"
    error_message = "Each region has one router, and its NAT hangs on that one."
  }

  assert {
    condition     = length(google_compute_firewall.allow_ingress) == 0
    error_message = "Nothing comes in unless a rule says so."
  }
}

run "two_regions_three_subnets" {
  command = plan

  variables {
    subnets = {
      main   = { region = "europe-west1", ip_cidr_range = "10.10.0.0/20" }
      jobs   = { region = "europe-west1", ip_cidr_range = "10.10.16.0/20", flow_sampling = 0 }
      backup = { region = "europe-west4", ip_cidr_range = "10.10.32.0/20", secondary_ip_ranges = { pods = "10.64.0.0/16" } }
    }
  }

  assert {
    condition     = keys(google_compute_router_nat.this) == ["europe-west1", "europe-west4"]
    error_message = "There is one NAT for each region, however many subnetworks it has."
  }

  assert {
    condition     = google_compute_subnetwork.this["backup"].secondary_ip_range[0].ip_cidr_range == "10.64.0.0/16"
    error_message = "Secondary ranges reach the subnetwork."
  }

  assert {
    condition     = length(google_compute_subnetwork.this["jobs"].log_config) == 0
    error_message = "flow_sampling = 0 logs no flows."
  }
}

run "outputs_name_every_resource" {
  variables {
    ingress = { internal = { source_ranges = ["10.10.0.0/20"] } }
  }

  assert {
    condition     = output.network.name == "dev" && output.network.id == google_compute_network.this.id
    error_message = "The network is an output."
  }

  assert {
    condition     = output.subnets["main"].id == google_compute_subnetwork.this["main"].id
    error_message = "Each subnetwork is an output."
  }

  assert {
    condition     = keys(output.routers) == ["europe-west1"] && keys(output.nats) == ["europe-west1"]
    error_message = "Routers and NATs are outputs by region."
  }

  assert {
    condition     = keys(output.firewall_rules) == ["deny_ingress", "internal"]
    error_message = "Each firewall rule is an output."
  }
}
