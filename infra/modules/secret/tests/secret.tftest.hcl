mock_provider "google" {}

variables {
  project_id = "example-dev"
  name       = "shop-api-key"
}

run "by_default_google_chooses_where_it_is" {
  command = plan

  assert {
    condition     = length(google_secret_manager_secret.this.replication[0].auto) == 1 && length(google_secret_manager_secret.this.replication[0].user_managed) == 0
    error_message = "Without locations the replication is automatic."
  }

  assert {
    condition     = length(google_secret_manager_secret.this.rotation) == 0 && length(google_secret_manager_secret.this.topics) == 0
    error_message = "Without rotation nothing reminds."
  }
}

run "locations_hold_it" {
  command = plan

  variables {
    locations = ["europe-west4", "europe-west1"]
  }

  assert {
    condition     = [for replica in google_secret_manager_secret.this.replication[0].user_managed[0].replicas : replica.location] == ["europe-west1", "europe-west4"]
    error_message = "The value is in the locations that were given, in a fixed order."
  }
}

run "own_key" {
  command = plan

  variables {
    kms_keys = { global = "projects/example-keys/locations/global/keyRings/apps/cryptoKeys/secrets" }
  }

  assert {
    condition     = google_secret_manager_secret.this.replication[0].auto[0].customer_managed_encryption[0].kms_key_name == "projects/example-keys/locations/global/keyRings/apps/cryptoKeys/secrets"
    error_message = "The key that was given encrypts the value."
  }
}

run "a_reminder" {
  command = plan

  variables {
    rotation = { days = 90, first = "2027-01-04T04:00:00Z", topic = "projects/example-dev/topics/rotate" }
  }

  assert {
    condition     = google_secret_manager_secret.this.rotation[0].rotation_period == "7776000s" && google_secret_manager_secret.this.topics[0].name == "projects/example-dev/topics/rotate"
    error_message = "A reminder goes to the topic."
  }
}
