mock_provider "google" {}

variables {
  project_id = "example-infra"
  name       = "example-infra-state"
  location   = "EU"
  admins     = ["group:platform@example.com"]
  attest     = "serviceAccount:attest@example.com"
  environments = {
    dev = {
      plan   = "serviceAccount:dev-plan@example.com"
      apply  = "serviceAccount:dev-apply@example.com"
      drift  = "serviceAccount:dev-drift@example.com"
      memory = ["tf/dev"]
      states = ["tf/dev", "legacy/dev/network"]
    }
    prod = {
      plan   = "serviceAccount:prod-plan@example.com"
      apply  = "serviceAccount:prod-apply@example.com"
      drift  = "serviceAccount:prod-drift@example.com"
      memory = []
      states = []
    }
  }
}

run "folders_of_other_names" {
  command = plan

  assert {
    condition = sort([for grant in google_storage_managed_folder_iam_member.this : "${grant.member} ${grant.role} ${grant.managed_folder}"]) == sort([
      "serviceAccount:dev-apply@example.com roles/storage.objectUser tf/dev/",
      "serviceAccount:dev-apply@example.com roles/storage.objectUser legacy/dev/network/",
      "serviceAccount:dev-plan@example.com roles/storage.objectViewer tf/dev/",
      "serviceAccount:dev-plan@example.com roles/storage.objectViewer legacy/dev/network/",
      "serviceAccount:dev-drift@example.com roles/storage.objectViewer tf/dev/",
      "serviceAccount:dev-drift@example.com roles/storage.objectViewer legacy/dev/network/",
      "serviceAccount:dev-plan@example.com roles/storage.objectViewer tf/dev/ledger/",
      "serviceAccount:dev-plan@example.com roles/storage.objectViewer tf/dev/plans/",
      "serviceAccount:dev-plan@example.com roles/storage.objectCreator tf/dev/plans/",
      "serviceAccount:dev-plan@example.com roles/storage.objectViewer tf/dev/drift/",
      "serviceAccount:dev-plan@example.com roles/storage.objectViewer tf/dev/attestations/",
      "serviceAccount:dev-plan@example.com roles/storage.objectViewer tf/dev/promotion/",
      "serviceAccount:attest@example.com roles/storage.objectViewer tf/dev/plans/",
      "serviceAccount:attest@example.com roles/storage.objectCreator tf/dev/attestations/",
      "serviceAccount:dev-drift@example.com roles/storage.objectViewer tf/dev/ledger/",
      "serviceAccount:dev-drift@example.com roles/storage.objectUser tf/dev/drift/",
      "serviceAccount:prod-plan@example.com roles/storage.objectViewer tf/dev/promotion/",
      "serviceAccount:prod-apply@example.com roles/storage.objectViewer tf/dev/promotion/",
    ])
    error_message = "Each account has its rights in the folders that are given, and an environment that is elsewhere has none but to read the checks of the one before."
  }

  assert {
    condition     = alltrue([for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : endswith(binding.condition.expression, "/objects/tf/repository.json\"") && !strcontains(jsonencode(binding.members), "prod") if can(binding.condition)])
    error_message = "The marker is above the environment's folder, and only those that are remembered there reach it."
  }

  assert {
    condition     = one(google_storage_bucket.this[0].lifecycle_rule[2].condition).matches_prefix == tolist(["tf/dev/attestations/", "tf/dev/plans/"])
    error_message = "Saved plans are deleted by age where they are."
  }
}

run "the_whole_bucket_of_one_environment" {
  command = plan

  variables {
    environments = {
      dev = {
        plan   = "serviceAccount:dev-plan@example.com"
        apply  = "serviceAccount:dev-apply@example.com"
        drift  = "serviceAccount:dev-drift@example.com"
        states = [""]
      }
    }
  }

  assert {
    condition = { for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : binding.role => binding.members if !can(binding.condition) } == {
      "roles/storage.admin"        = ["group:platform@example.com"]
      "roles/storage.objectUser"   = ["serviceAccount:dev-apply@example.com"]
      "roles/storage.objectViewer" = ["serviceAccount:dev-drift@example.com", "serviceAccount:dev-plan@example.com"]
    }
    error_message = "Apply writes the bucket, plan and drift read it."
  }

  assert {
    condition     = !contains(keys(google_storage_managed_folder.this), "/") && contains(keys(google_storage_managed_folder.this), "dev/plans/")
    error_message = "The whole bucket is no managed folder; that of plans is, since plan adds to it."
  }
}

run "a_bucket_that_exists" {
  command = plan

  variables {
    name   = "states_of.example"
    create = false
    environments = {
      dev = {
        plan   = "serviceAccount:dev-plan@example.com"
        apply  = "serviceAccount:dev-apply@example.com"
        drift  = "serviceAccount:dev-drift@example.com"
        states = [""]
      }
    }
  }

  assert {
    condition     = length(google_storage_bucket.this) == 0 && length(google_storage_bucket_iam_policy.this) == 0
    error_message = "Neither its settings nor its policy are touched."
  }

  assert {
    condition = sort([for grant in google_storage_bucket_iam_member.this : "${grant.member} ${grant.role} ${try(grant.condition[0].expression, "")}"]) == sort([
      "serviceAccount:attest@example.com roles/storage.objectViewer resource.name == \"projects/_/buckets/states_of.example/objects/repository.json\"",
      "serviceAccount:dev-plan@example.com roles/storage.objectViewer resource.name == \"projects/_/buckets/states_of.example/objects/repository.json\"",
      "serviceAccount:dev-apply@example.com roles/storage.objectViewer resource.name == \"projects/_/buckets/states_of.example/objects/repository.json\"",
      "serviceAccount:dev-apply@example.com roles/storage.objectCreator resource.name == \"projects/_/buckets/states_of.example/objects/repository.json\"",
      "serviceAccount:dev-drift@example.com roles/storage.objectViewer resource.name == \"projects/_/buckets/states_of.example/objects/repository.json\"",
      "serviceAccount:dev-plan@example.com roles/storage.objectViewer ",
      "serviceAccount:dev-drift@example.com roles/storage.objectViewer ",
      "serviceAccount:dev-apply@example.com roles/storage.objectUser ",
    ])
    error_message = "Each right is added beside what is there."
  }

  assert {
    condition     = length(output.grants) == 11 && length(output.bucket_grants) == 8 && output.policy_etag == null && output.bucket.url == "gs://states_of.example"
    error_message = "The rights are outputs, also without a bucket of our own."
  }
}

run "memory_ends_in_the_environment" {
  command = plan
  variables {
    environments = {
      dev = { plan = "serviceAccount:a@b.c", apply = "serviceAccount:d@b.c", drift = "serviceAccount:e@b.c", memory = ["tf/prod"] }
    }
  }
  expect_failures = [var.environments]
}

run "states_are_not_those_of_the_bootstrap" {
  command = plan
  variables {
    environments = {
      dev = { plan = "serviceAccount:a@b.c", apply = "serviceAccount:d@b.c", drift = "serviceAccount:e@b.c", states = ["bootstrap/state"] }
    }
  }
  expect_failures = [var.environments]
}
