mock_provider "google" {}

variables {
  project_id = "example-dev"
  name       = "dev"
  subnets = {
    main = { region = "europe-west1", ip_cidr_range = "10.10.0.0/20" }
  }
}

run "project_number_is_refused" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "long_name_is_refused" {
  command = plan
  variables {
    name = "a-name-that-is-too-long-to-build-on"
  }
  expect_failures = [var.name]
}

run "no_subnets_is_refused" {
  command = plan
  variables {
    subnets = {}
  }
  expect_failures = [var.subnets]
}

run "public_range_is_refused" {
  command = plan
  variables {
    subnets = { main = { region = "europe-west1", ip_cidr_range = "34.0.0.0/20" } }
  }
  expect_failures = [var.subnets]
}

run "malformed_range_is_refused" {
  command = plan
  variables {
    subnets = { main = { region = "europe-west1", ip_cidr_range = "10.10.0.0" } }
  }
  expect_failures = [var.subnets]
}

run "public_secondary_range_is_refused" {
  command = plan
  variables {
    subnets = { main = { region = "europe-west1", ip_cidr_range = "10.10.0.0/20", secondary_ip_ranges = { pods = "8.8.0.0/16" } } }
  }
  expect_failures = [var.subnets]
}

run "flow_sampling_above_one_is_refused" {
  command = plan
  variables {
    subnets = { main = { region = "europe-west1", ip_cidr_range = "10.10.0.0/20", flow_sampling = 50 } }
  }
  expect_failures = [var.subnets]
}

run "whole_internet_is_refused" {
  command = plan
  variables {
    ingress = { web = { source_ranges = ["0.0.0.0/0"] } }
  }
  expect_failures = [var.ingress]
}

run "half_the_internet_twice_is_refused" {
  command = plan
  variables {
    ingress = { web = { source_ranges = ["0.0.0.0/1", "128.0.0.0/1"] } }
  }
  expect_failures = [var.ingress]
}

run "rule_without_sources_is_refused" {
  command = plan
  variables {
    ingress = { web = { source_ranges = [] } }
  }
  expect_failures = [var.ingress]
}
