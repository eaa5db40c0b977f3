mock_provider "google" {}

variables {
  project_id = "example-infra"
  name       = "example-infra-state"
  location   = "EU"
  admins     = ["user:ada@example.com", "group:platform@example.com"]
  attest     = "serviceAccount:attest@example-infra.iam.gserviceaccount.com"
  environments = {
    dev = {
      plan  = "serviceAccount:dev-plan@example-infra.iam.gserviceaccount.com"
      apply = "serviceAccount:dev-apply@example-infra.iam.gserviceaccount.com"
      drift = "serviceAccount:dev-drift@example-infra.iam.gserviceaccount.com"
    }
    prod = {
      plan  = "serviceAccount:prod-plan@example-infra.iam.gserviceaccount.com"
      apply = "serviceAccount:prod-apply@example-infra.iam.gserviceaccount.com"
      drift = "serviceAccount:prod-drift@example-infra.iam.gserviceaccount.com"
    }
  }
}

run "the_bucket_is_private_and_keeps_what_it_held" {
  command = plan

  assert {
    condition     = google_storage_bucket.this[0].uniform_bucket_level_access && google_storage_bucket.this[0].public_access_prevention == "enforced"
    error_message = "No object can be made public, whoever asks for it."
  }

  assert {
    condition     = google_storage_bucket.this[0].versioning[0].enabled
    error_message = "Old states are kept."
  }

  assert {
    condition     = google_storage_bucket.this[0].soft_delete_policy[0].retention_duration_seconds == 30 * 86400
    error_message = "Deleted objects can be restored for a month."
  }

  assert {
    condition     = google_storage_bucket.this[0].force_destroy == false
    error_message = "A bucket that holds states is never emptied to be deleted."
  }

  assert {
    condition     = one(google_storage_bucket.this[0].lifecycle_rule[0].condition).num_newer_versions == 50 && one(google_storage_bucket.this[0].lifecycle_rule[0].condition).days_since_noncurrent_time == 90
    error_message = "A version is deleted only when there are many newer ones and it is old."
  }
}

run "the_policy_names_the_admins_and_nobody_else" {
  command = plan

  assert {
    condition     = [for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : binding if !can(binding.condition)] == [{ role = "roles/storage.admin", members = ["group:platform@example.com", "user:ada@example.com"] }]
    error_message = "On the bucket itself only the admins have a right."
  }

  assert {
    condition = jsonencode({ for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : binding.role => binding.members if can(binding.condition) }) == jsonencode({
      "roles/storage.objectViewer"  = sort([for name in ["attest", "dev-plan", "dev-apply", "dev-drift", "prod-plan", "prod-apply", "prod-drift"] : "serviceAccount:${name}@example-infra.iam.gserviceaccount.com"])
      "roles/storage.objectCreator" = [for name in ["dev-apply", "prod-apply"] : "serviceAccount:${name}@example-infra.iam.gserviceaccount.com"]
    })
    error_message = "All accounts read the marker, those that apply create it, and nobody else changes it."
  }

  assert {
    condition     = alltrue([for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : binding.condition.expression == "resource.name == \"projects/_/buckets/example-infra-state/objects/repository.json\"" if can(binding.condition)])
    error_message = "The conditions reach exactly one object."
  }

  assert {
    condition     = !can(regex("project(Viewer|Editor|Owner)|allUsers|allAuthenticatedUsers|\\*", google_storage_bucket_iam_policy.this[0].policy_data))
    error_message = "The rights that a new bucket gives to the project's viewers, editors and owners are gone, and nothing is public."
  }
}

run "each_account_has_exactly_its_rights" {
  command = plan

  assert {
    condition = sort([for grant in google_storage_managed_folder_iam_member.this : "${grant.member} ${grant.role} ${grant.managed_folder}"]) == sort(concat(flatten([
      for environment in ["dev", "prod"] : [
        "serviceAccount:${environment}-plan@example-infra.iam.gserviceaccount.com roles/storage.objectViewer ${environment}/state/",
        "serviceAccount:${environment}-plan@example-infra.iam.gserviceaccount.com roles/storage.objectViewer ${environment}/ledger/",
        "serviceAccount:${environment}-plan@example-infra.iam.gserviceaccount.com roles/storage.objectViewer ${environment}/plans/",
        "serviceAccount:${environment}-plan@example-infra.iam.gserviceaccount.com roles/storage.objectCreator ${environment}/plans/",
        "serviceAccount:${environment}-plan@example-infra.iam.gserviceaccount.com roles/storage.objectViewer ${environment}/drift/",
        "serviceAccount:${environment}-plan@example-infra.iam.gserviceaccount.com roles/storage.objectViewer ${environment}/attestations/",
        "serviceAccount:${environment}-plan@example-infra.iam.gserviceaccount.com roles/storage.objectViewer ${environment}/promotion/",
        "serviceAccount:attest@example-infra.iam.gserviceaccount.com roles/storage.objectViewer ${environment}/plans/",
        "serviceAccount:attest@example-infra.iam.gserviceaccount.com roles/storage.objectCreator ${environment}/attestations/",
        "serviceAccount:${environment}-apply@example-infra.iam.gserviceaccount.com roles/storage.objectUser ${environment}/",
        "serviceAccount:${environment}-drift@example-infra.iam.gserviceaccount.com roles/storage.objectViewer ${environment}/state/",
        "serviceAccount:${environment}-drift@example-infra.iam.gserviceaccount.com roles/storage.objectViewer ${environment}/ledger/",
        "serviceAccount:${environment}-drift@example-infra.iam.gserviceaccount.com roles/storage.objectUser ${environment}/drift/",
      ]
      ]), [
      "serviceAccount:prod-plan@example-infra.iam.gserviceaccount.com roles/storage.objectViewer dev/promotion/",
      "serviceAccount:prod-apply@example-infra.iam.gserviceaccount.com roles/storage.objectViewer dev/promotion/",
    ]))
    error_message = "plan reads all of its environment's folders and adds plans; attest reads plans and adds attestations; apply reads and writes its environment; drift reads as plan does and writes its own folder; plan and apply read whether the environment before passed its checks."
  }

  assert {
    condition = alltrue([
      for grant in google_storage_managed_folder_iam_member.this :
      startswith(grant.managed_folder, "${regex("^serviceAccount:([a-z]+)-", grant.member)[0]}/") || (endswith(grant.managed_folder, "/promotion/") && grant.role == "roles/storage.objectViewer")
      if !strcontains(grant.member, ":attest@")
    ])
    error_message = "No account of an environment has a right in another one, but to read whether it passed its checks."
  }

  assert {
    condition     = alltrue([for folder in google_storage_managed_folder.this : !startswith(folder.name, "bootstrap/")])
    error_message = "Nobody but the admins reaches the bootstrap's state."
  }
}

run "who_plans_cannot_attest" {
  command = plan

  assert {
    condition = alltrue([
      for grant in google_storage_managed_folder_iam_member.this :
      strcontains(grant.member, ":attest@") || grant.role == "roles/storage.objectViewer"
      if endswith(grant.managed_folder, "/attestations/")
    ])
    error_message = "Only the account that attests adds attestations; nobody else but apply writes there, and it overwrites none."
  }
}

run "the_order_of_promotion_can_be_given" {
  command = plan

  variables {
    promotion_order = ["prod", "dev"]
  }

  assert {
    condition     = sort([for grant in google_storage_managed_folder_iam_member.this : grant.member if grant.managed_folder == "prod/promotion/"]) == sort([for name in ["prod-plan", "dev-plan", "dev-apply"] : "serviceAccount:${name}@example-infra.iam.gserviceaccount.com"])
    error_message = "The next environment reads whether the one before it passed its checks."
  }
}

run "only_apply_may_write_states" {
  command = plan

  assert {
    condition = alltrue([
      for grant in google_storage_managed_folder_iam_member.this :
      strcontains(grant.member, "-apply@") || grant.role == "roles/storage.objectViewer" || !can(regex("^[a-z]+/(state/|ledger/|)$", grant.managed_folder))
    ])
    error_message = "The plan and drift accounts cannot write a state or a ledger."
  }
}

run "a_repository_has_a_folder_of_its_own" {
  command = plan

  variables {
    prefix = "teams/shop"
  }

  assert {
    condition     = alltrue([for folder in google_storage_managed_folder.this : startswith(folder.name, "teams/shop/")]) && one(google_storage_bucket.this[0].lifecycle_rule[2].condition).matches_prefix[0] == "teams/shop/dev/attestations/"
    error_message = "Nothing reaches out of the repository's folder."
  }

  assert {
    condition     = alltrue([for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings : endswith(binding.condition.expression, "/objects/teams/shop/repository.json\"") if can(binding.condition)])
    error_message = "The marker is in the repository's folder."
  }
}

run "a_second_repository_has_its_folder_and_nothing_else" {
  command = plan

  variables {
    repositories = {
      "teams/shop" = {
        attest = "serviceAccount:shop-attest@example-infra.iam.gserviceaccount.com"
        environments = {
          dev = {
            plan  = "serviceAccount:shop-dev-plan@example-infra.iam.gserviceaccount.com"
            apply = "serviceAccount:shop-dev-apply@example-infra.iam.gserviceaccount.com"
            drift = "serviceAccount:shop-dev-drift@example-infra.iam.gserviceaccount.com"
          }
          prod = {
            plan  = "serviceAccount:shop-prod-plan@example-infra.iam.gserviceaccount.com"
            apply = "serviceAccount:shop-prod-apply@example-infra.iam.gserviceaccount.com"
            drift = "serviceAccount:shop-prod-drift@example-infra.iam.gserviceaccount.com"
          }
        }
      }
    }
  }

  assert {
    condition = sort([for grant in google_storage_managed_folder_iam_member.this : "${replace(grant.member, ":shop-", ":")} ${grant.role} ${trimprefix(grant.managed_folder, "teams/shop/")}" if startswith(grant.managed_folder, "teams/shop/")]) == sort([
      for grant in google_storage_managed_folder_iam_member.this : "${grant.member} ${grant.role} ${grant.managed_folder}" if !startswith(grant.managed_folder, "teams/shop/")
    ])
    error_message = "Each repository's accounts have the same rights in its folder."
  }

  assert {
    condition     = alltrue([for grant in google_storage_managed_folder_iam_member.this : startswith(grant.managed_folder, "teams/shop/") == strcontains(grant.member, ":shop-")])
    error_message = "No account reaches another repository's folder."
  }

  assert {
    condition     = contains(keys(google_storage_managed_folder_iam_member.this), "dev/apply") && contains(keys(google_storage_managed_folder_iam_member.this), "teams/shop:dev/apply")
    error_message = "The grants of the first repository keep their addresses."
  }

  assert {
    condition = alltrue([
      for binding in jsondecode(google_storage_bucket_iam_policy.this[0].policy_data).bindings :
      alltrue([for member in binding.members : endswith(binding.condition.expression, "/objects/${strcontains(member, ":shop-") ? "teams/shop/" : ""}repository.json\"")]) if can(binding.condition)
    ])
    error_message = "Each repository reads its own marker."
  }

  assert {
    condition     = one(google_storage_bucket.this[0].lifecycle_rule[3].condition).matches_prefix[0] == "teams/shop/dev/attestations/"
    error_message = "Its plans are deleted as the first one's are."
  }
}
