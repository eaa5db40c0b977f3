mock_provider "google" {}

variables {
  project_id = "example-dev"
  region     = "europe-west1"
  name       = "web"
}

run "project_number_is_refused" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "zone_is_refused" {
  command = plan
  variables {
    region = "europe-west1-b"
  }
  expect_failures = [var.region]
}

run "long_name_is_refused" {
  command = plan
  variables {
    name = "a-service-with-a-long-name-x"
  }
  expect_failures = [var.name]
}

run "min_above_max_is_refused" {
  command = plan
  variables {
    scaling = { min = 5, max = 2 }
  }
  expect_failures = [var.scaling]
}

run "no_concurrency_is_refused" {
  command = plan
  variables {
    concurrency = 0
  }
  expect_failures = [var.concurrency]
}

run "long_timeout_is_refused" {
  command = plan
  variables {
    timeout_seconds = 7200
  }
  expect_failures = [var.timeout_seconds]
}

run "unknown_egress_is_refused" {
  command = plan
  variables {
    vpc = { network = "n", subnetwork = "s", egress = "ALL" }
  }
  expect_failures = [var.vpc]
}

run "unknown_ingress_is_refused" {
  command = plan
  variables {
    ingress = "ALL"
  }
  expect_failures = [var.ingress]
}

run "everybody_is_refused" {
  command = plan
  variables {
    invokers = { world = "allUsers" }
  }
  expect_failures = [var.invokers]
}

run "anybody_with_an_account_is_refused" {
  command = plan
  variables {
    invokers = { world = "allAuthenticatedUsers" }
  }
  expect_failures = [var.invokers]
}

run "a_whole_identity_pool_is_refused" {
  command = plan
  variables {
    invokers = { pool = "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github/*" }
  }
  expect_failures = [var.invokers]
}

run "secret_by_path_is_refused" {
  command = plan
  variables {
    secrets = ["projects/example-dev/secrets/db-password"]
  }
  expect_failures = [var.secrets]
}

run "everybody_deploying_is_refused" {
  command = plan
  variables {
    deployers = { world = "allAuthenticatedUsers" }
  }
  expect_failures = [var.deployers]
}

run "a_whole_domain_deploying_is_refused" {
  command = plan
  variables {
    deployers = { company = "domain:example.com" }
  }
  expect_failures = [var.deployers]
}
