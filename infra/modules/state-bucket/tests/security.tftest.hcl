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
    condition     = google_storage_bucket.this.uniform_bucket_level_access && google_storage_bucket.this.public_access_prevention == "enforced"
    error_message = "No object can be made public, whoever asks for it."
  }

  assert {
    condition     = google_storage_bucket.this.versioning[0].enabled
    error_message = "Old states are kept."
  }

  assert {
    condition     = google_storage_bucket.this.soft_delete_policy[0].retention_duration_seconds == 30 * 86400
    error_message = "Deleted objects can be restored for a month."
  }

  assert {
    condition     = google_storage_bucket.this.force_destroy == false
    error_message = "A bucket that holds states is never emptied to be deleted."
  }

  assert {
    condition     = one(google_storage_bucket.this.lifecycle_rule[0].condition).num_newer_versions == 50 && one(google_storage_bucket.this.lifecycle_rule[0].condition).days_since_noncurrent_time == 90
    error_message = "A version is deleted only when there are many newer ones and it is old."
  }
}

run "the_policy_names_the_admins_and_nobody_else" {
  command = plan

  assert {
    condition = jsondecode(google_storage_bucket_iam_policy.this.policy_data) == {
      bindings = [{ role = "roles/storage.admin", members = ["group:platform@example.com", "user:ada@example.com"] }]
    }
    error_message = "On the bucket itself only the admins have a right."
  }

  assert {
    condition     = !can(regex("project(Viewer|Editor|Owner)|allUsers|allAuthenticatedUsers|\\*", google_storage_bucket_iam_policy.this.policy_data))
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
