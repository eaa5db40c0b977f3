mock_provider "google" {}

variables {
  project_id = "example-infra"
  name       = "example-infra-state"
  location   = "EU"
  admins     = ["group:platform@example.com"]
  attest     = "serviceAccount:attest@example-infra.iam.gserviceaccount.com"
  environments = {
    dev = {
      plan  = "serviceAccount:infra-dev-plan@example-infra.iam.gserviceaccount.com"
      apply = "serviceAccount:infra-dev-apply@example-infra.iam.gserviceaccount.com"
      drift = "serviceAccount:infra-dev-drift@example-infra.iam.gserviceaccount.com"
    }
  }
}

run "one_environment" {
  command = plan

  assert {
    condition     = keys(google_storage_managed_folder.this) == ["dev/", "dev/attestations/", "dev/drift/", "dev/ledger/", "dev/plans/", "dev/promotion/", "dev/state/"]
    error_message = "An environment has a managed folder for each right that is given."
  }

  assert {
    condition     = length(google_storage_bucket.this[0].encryption) == 0
    error_message = "Without a key the encryption is Google's."
  }

  assert {
    condition     = one(google_storage_bucket.this[0].lifecycle_rule[2].condition).age == 90 && one(google_storage_bucket.this[0].lifecycle_rule[2].condition).matches_prefix == tolist(["dev/attestations/", "dev/plans/"])
    error_message = "Only kept plans and their attestations are deleted by age."
  }

  assert {
    condition     = keys(output.folders) == ["dev/", "dev/attestations/", "dev/drift/", "dev/ledger/", "dev/plans/", "dev/promotion/", "dev/state/"] && length(output.grants) == 13 && output.bucket.name == "example-infra-state"
    error_message = "Every resource is an output."
  }
}

run "no_environment_yet" {
  command = plan

  variables {
    environments = {}
  }

  assert {
    condition     = length(google_storage_managed_folder.this) == 0 && length(google_storage_bucket.this[0].lifecycle_rule) == 2
    error_message = "The bucket can be made before the first environment."
  }
}

run "own_key" {
  command = plan

  variables {
    kms_key = "projects/example-keys/locations/europe/keyRings/infra/cryptoKeys/state"
  }

  assert {
    condition     = google_storage_bucket.this[0].encryption[0].default_kms_key_name == "projects/example-keys/locations/europe/keyRings/infra/cryptoKeys/state"
    error_message = "The key that was given encrypts the objects."
  }
}
