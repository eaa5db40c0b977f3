mock_provider "google" {}

variables {
  project_id = "example-dev"
  name       = "shop-api-key"
}

run "project_number_is_refused" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "name_with_a_dot_is_refused" {
  command = plan
  variables {
    name = "shop.key"
  }
  expect_failures = [var.name]
}

run "public_reader_is_refused" {
  command = plan
  variables {
    readers = { all = "allUsers" }
  }
  expect_failures = [var.readers]
}

run "public_writer_is_refused" {
  command = plan
  variables {
    writers = { all = "allAuthenticatedUsers" }
  }
  expect_failures = [var.writers]
}

run "zone_is_refused" {
  command = plan
  variables {
    locations = ["europe-west1-b"]
  }
  expect_failures = [var.locations]
}

run "key_without_its_location_is_refused" {
  command = plan
  variables {
    locations = ["europe-west1"]
    kms_keys  = { global = "projects/example-keys/locations/global/keyRings/apps/cryptoKeys/secrets" }
  }
  expect_failures = [var.kms_keys]
}

run "topic_without_its_project_is_refused" {
  command = plan
  variables {
    rotation = { days = 90, first = "2027-01-04T04:00:00Z", topic = "rotate" }
  }
  expect_failures = [var.rotation]
}

run "no_days_are_refused" {
  command = plan
  variables {
    version_destroy_days = 0
  }
  expect_failures = [var.version_destroy_days]
}
