mock_provider "google" {}

variables {
  project_id = "example-dev"
  region     = "europe-west1"
  name       = "web"
  image      = "europe-docker.pkg.dev/example/apps/web:1.4.0"
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

run "image_without_tag_is_refused" {
  command = plan
  variables {
    image = "europe-docker.pkg.dev/example/apps/web"
  }
  expect_failures = [var.image]
}

run "latest_image_is_refused" {
  command = plan
  variables {
    image = "europe-docker.pkg.dev/example/apps/web:latest"
  }
  expect_failures = [var.image]
}

run "registry_port_is_not_a_tag" {
  command = plan
  variables {
    image = "registry.example.com:5000/web"
  }
  expect_failures = [var.image]
}

run "image_by_digest_is_accepted" {
  command = plan
  variables {
    image = "europe-docker.pkg.dev/example/apps/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
  assert {
    condition     = endswith(google_cloud_run_v2_service.this.template[0].containers[0].image, "cdef")
    error_message = "A digest is the best name of an image."
  }
}

run "relative_probe_path_is_refused" {
  command = plan
  variables {
    container = { startup_path = "ready" }
  }
  expect_failures = [var.container]
}

run "memory_without_unit_is_refused" {
  command = plan
  variables {
    container = { memory = "512" }
  }
  expect_failures = [var.container]
}

run "secret_in_env_is_refused" {
  command = plan
  variables {
    env = { DB_PASSWORD = "hunter2" }
  }
  expect_failures = [var.env]
}

run "latest_secret_is_refused" {
  command = plan
  variables {
    secrets = { DB_PASSWORD = { secret = "db-password", version = "latest" } }
  }
  expect_failures = [var.secrets]
}

run "one_name_in_env_and_secrets_is_refused" {
  command = plan
  variables {
    env     = { MODE = "fast" }
    secrets = { MODE = { secret = "mode", version = "1" } }
  }
  expect_failures = [var.secrets]
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
