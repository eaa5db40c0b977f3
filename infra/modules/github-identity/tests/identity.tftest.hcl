mock_provider "google" {
  # The real provider checks the shape of what the mocks make up.
  mock_resource "google_service_account" {
    defaults = {
      name   = "projects/example-infra/serviceAccounts/infra-mock@example-infra.iam.gserviceaccount.com"
      email  = "infra-mock@example-infra.iam.gserviceaccount.com"
      member = "serviceAccount:infra-mock@example-infra.iam.gserviceaccount.com"
    }
  }

  mock_resource "google_iam_workload_identity_pool" {
    defaults = {
      name = "projects/123456789012/locations/global/workloadIdentityPools/github"
    }
  }
}

variables {
  project_id = "example-infra"
  repository = { owner = "example", owner_id = "1001", name = "infrastructure", id = "2002" }
  environments = {
    dev  = { project_id = "example-dev", apply_roles = ["roles/run.admin"] }
    prod = { project_id = "example-prod", apply_roles = ["roles/run.admin", "roles/compute.networkAdmin"], grantable_roles = ["roles/aiplatform.user"] }
  }
}

run "three_accounts_per_environment_and_one_that_attests" {
  command = plan

  assert {
    condition = { for key, account in google_service_account.this : key => account.account_id } == {
      "attest"     = "infra-attest"
      "dev/apply"  = "infra-dev-apply"
      "dev/drift"  = "infra-dev-drift"
      "dev/plan"   = "infra-dev-plan"
      "prod/apply" = "infra-prod-apply"
      "prod/drift" = "infra-prod-drift"
      "prod/plan"  = "infra-prod-plan"
    }
    error_message = "Each environment has a plan, an apply and a drift account, and one account attests."
  }

  assert {
    condition     = alltrue([for account in google_service_account.this : account.project == "example-infra"])
    error_message = "The accounts live beside the pool, where no apply account may change them."
  }
}

run "other_names" {
  command = plan

  variables {
    trunk          = "trunk"
    workflows      = { apply = "deploy.yml" }
    pool_id        = "actions"
    account_prefix = "tf"
  }

  assert {
    condition     = strcontains(google_iam_workload_identity_pool_provider.this.attribute_mapping["attribute.infra"], "'example/infrastructure/.github/workflows/deploy.yml@refs/heads/trunk'")
    error_message = "Trunk and the workflows' names reach the mapping."
  }

  assert {
    condition     = google_iam_workload_identity_pool.this.workload_identity_pool_id == "actions" && google_service_account.this["dev/plan"].account_id == "tf-dev-plan"
    error_message = "The pool's id and the accounts' prefix are used."
  }
}

run "outputs_name_every_resource" {
  assert {
    condition     = output.pool == "projects/123456789012/locations/global/workloadIdentityPools/github" && output.provider == google_iam_workload_identity_pool_provider.this.name
    error_message = "Pool and provider are outputs."
  }

  assert {
    condition     = output.accounts.prod.apply == google_service_account.this["prod/apply"].email && output.members.dev.plan == google_service_account.this["dev/plan"].member && output.attest.email == google_service_account.this["attest"].email && output.attest.member == google_service_account.this["attest"].member
    error_message = "Each account is an output, as an address and as a member."
  }

  assert {
    condition = output.project_roles == {
      "dev/apply"  = tolist(["roles/run.admin"])
      "dev/drift"  = tolist(["roles/iam.securityReviewer", "roles/viewer"])
      "dev/plan"   = tolist(["roles/iam.securityReviewer", "roles/viewer"])
      "prod/apply" = tolist(["roles/compute.networkAdmin", "roles/resourcemanager.projectIamAdmin", "roles/run.admin"])
      "prod/drift" = tolist(["roles/iam.securityReviewer", "roles/viewer"])
      "prod/plan"  = tolist(["roles/iam.securityReviewer", "roles/viewer"])
    }
    error_message = "Each account's roles are an output."
  }

  assert {
    condition     = length(output.github_bindings) == 7
    error_message = "Each binding is an output."
  }
}
