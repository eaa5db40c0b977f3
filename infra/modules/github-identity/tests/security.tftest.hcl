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
    prod = { project_id = "example-prod", apply_roles = ["roles/run.admin"], grantable_roles = ["roles/run.invoker", "roles/aiplatform.user"] }
  }
}

run "only_this_repository_by_number" {
  command = plan

  assert {
    condition     = google_iam_workload_identity_pool_provider.this.attribute_condition == "assertion.repository_owner_id == '1001' && assertion.repository_id == '2002'"
    error_message = "Tokens of other repositories are refused, by numbers that nobody can take over."
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.this.oidc[0].issuer_uri == "https://token.actions.githubusercontent.com"
    error_message = "Only GitHub's tokens are taken."
  }
}

run "one_attribute_says_what_a_job_is" {
  command = plan

  assert {
    condition = google_iam_workload_identity_pool_provider.this.attribute_mapping["attribute.infra"] == join(" : ", [
      "has(assertion.job_workflow_ref) && assertion.job_workflow_ref == 'example/infrastructure/.github/workflows/infra-attest.yml@refs/heads/main' ? 'attest'",
      "has(assertion.job_workflow_ref) && assertion.job_workflow_ref == 'example/infrastructure/.github/workflows/infra-drift-' + assertion.job_workflow_ref.extract('example/infrastructure/.github/workflows/infra-drift-{name}.yml@refs/heads/main') + '.yml@refs/heads/main' ? 'drift-' + assertion.job_workflow_ref.extract('example/infrastructure/.github/workflows/infra-drift-{name}.yml@refs/heads/main')",
      "has(assertion.job_workflow_ref) && assertion.job_workflow_ref == 'example/infrastructure/.github/workflows/infra-plan-' + assertion.job_workflow_ref.extract('example/infrastructure/.github/workflows/infra-plan-{name}.yml@refs/heads/main') + '.yml@refs/heads/main' ? 'plan-' + assertion.job_workflow_ref.extract('example/infrastructure/.github/workflows/infra-plan-{name}.yml@refs/heads/main')",
      "has(assertion.environment) && assertion.workflow_ref == 'example/infrastructure/.github/workflows/infra-apply.yml@refs/heads/main' ? 'apply-' + assertion.environment",
      "'none'",
    ])
    error_message = "Attest, drift and plan need their own reusable workflow at trunk, before anything else; apply needs its workflow on trunk and an environment; all else is none."
  }

  assert {
    condition     = keys(google_iam_workload_identity_pool_provider.this.attribute_mapping) == tolist(["attribute.infra", "google.subject"])
    error_message = "There is no second attribute that a binding could be made to."
  }

  assert {
    condition     = length(google_iam_workload_identity_pool_provider.this.attribute_mapping["attribute.infra"]) <= 2048
    error_message = "Google takes mappings of up to 2048 characters."
  }
}

run "each_account_is_bound_to_its_own_jobs" {
  assert {
    condition = { for key, binding in google_service_account_iam_member.github : key => binding.member } == {
      for key, attribute in { "attest" = "attest", "dev/plan" = "plan-dev", "dev/apply" = "apply-dev", "dev/drift" = "drift-dev", "prod/plan" = "plan-prod", "prod/apply" = "apply-prod", "prod/drift" = "drift-prod" } :
      key => "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/github/attribute.infra/${attribute}"
    }
    error_message = "Only an environment's own plan, drift and apply jobs act as its accounts, and only the job that attests as the account that does."
  }

  assert {
    condition     = alltrue([for binding in google_service_account_iam_member.github : binding.role == "roles/iam.workloadIdentityUser" && !strcontains(binding.member, "*")])
    error_message = "A job may act as the account and do nothing else to it; no binding is to a whole pool."
  }

  assert {
    condition     = alltrue([for key, binding in google_service_account_iam_member.github : binding.service_account_id == google_service_account.this[key].name])
    error_message = "Each binding is on an account of this module."
  }
}

run "who_attests_has_no_role_anywhere" {
  command = plan

  assert {
    condition     = length([for key in keys(google_project_iam_member.role) : key if startswith(key, "attest")]) == 0
    error_message = "What it may do is in the state bucket alone."
  }
}

run "plan_and_drift_only_read" {
  command = plan

  assert {
    condition     = toset([for key, role in google_project_iam_member.role : role.role if !strcontains(key, "/apply/")]) == toset(["roles/viewer", "roles/iam.securityReviewer"])
    error_message = "Plan and drift read, and no more."
  }

  assert {
    condition     = alltrue([for key, role in google_project_iam_member.role : role.project == "example-${split("/", key)[0]}"])
    error_message = "No account has a role in another environment's project, nor in the project of the pool."
  }
}

run "apply_may_grant_only_what_is_listed" {
  command = plan

  assert {
    condition     = keys(google_project_iam_member.grant) == ["prod"]
    error_message = "Without grantable_roles, apply may grant nothing."
  }

  assert {
    condition     = google_project_iam_member.grant["prod"].condition[0].expression == "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/aiplatform.user', 'roles/run.invoker'])"
    error_message = "The right to grant holds for the listed roles only."
  }
}
