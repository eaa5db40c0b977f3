mock_provider "google" {}

variables {
  project_id = "example-prod"
  name       = "prod"
  subnets = {
    main = { region = "europe-west1", ip_cidr_range = "10.30.0.0/20" }
    jobs = { region = "europe-west1", ip_cidr_range = "10.30.16.0/20" }
  }
  ingress = {
    internal = { source_ranges = ["10.30.0.0/16"], ports = ["443"] }
    health   = { source_ranges = ["35.191.0.0/16", "130.211.0.0/22"] }
  }
}

run "ingress_is_denied_and_logged" {
  command = plan

  assert {
    condition     = google_compute_firewall.deny_ingress.direction == "INGRESS" && google_compute_firewall.deny_ingress.priority == 65534
    error_message = "The deny rule stands behind every allow rule."
  }

  assert {
    condition     = contains(google_compute_firewall.deny_ingress.source_ranges, "0.0.0.0/0") && one(google_compute_firewall.deny_ingress.deny).protocol == "all"
    error_message = "The deny rule covers every source and protocol."
  }

  assert {
    condition     = length(google_compute_firewall.deny_ingress.log_config) == 1
    error_message = "What is turned away is logged."
  }
}

run "allowed_ingress_is_narrow_and_logged" {
  command = plan

  assert {
    condition = alltrue([
      for rule in google_compute_firewall.allow_ingress : !contains(rule.source_ranges, "0.0.0.0/0") && length(rule.log_config) == 1
    ])
    error_message = "No rule lets the whole internet in, and each is logged."
  }

  assert {
    condition     = one(google_compute_firewall.allow_ingress["internal"].allow).ports == tolist(["443"])
    error_message = "A rule opens the ports that it names and no more."
  }

  assert {
    condition     = alltrue([for rule in google_compute_firewall.allow_ingress : rule.priority < 65534])
    error_message = "An allow rule stands before the deny rule."
  }
}

run "subnetworks_reach_google_privately_and_log_flows" {
  command = plan

  assert {
    condition = alltrue([
      for subnet in google_compute_subnetwork.this : subnet.private_ip_google_access && length(subnet.log_config) == 1
    ])
    error_message = "Every subnetwork has private Google access and, by default, flow logs."
  }
}

run "nat_logs_errors" {
  command = plan

  assert {
    condition     = google_compute_router_nat.this["europe-west1"].log_config[0].enable
    error_message = "What NAT fails to translate is logged."
  }
}
