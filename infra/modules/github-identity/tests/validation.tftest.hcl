mock_provider "google" {}

variables {
  project_id = "example-infra"
  repository = { owner = "example", owner_id = "1001", name = "infrastructure", id = "2002" }
  environments = {
    dev = { project_id = "example-dev", apply_roles = ["roles/run.admin"] }
  }
}

run "project_number_is_refused" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "owner_and_name_in_one_are_refused" {
  command = plan
  variables {
    repository = { owner = "example", owner_id = "1001", name = "example/infrastructure", id = "2002" }
  }
  expect_failures = [var.repository]
}

run "quote_in_name_is_refused" {
  command = plan
  variables {
    repository = { owner = "example' || true || '", owner_id = "1001", name = "infrastructure", id = "2002" }
  }
  expect_failures = [var.repository]
}

run "name_for_number_is_refused" {
  command = plan
  variables {
    repository = { owner = "example", owner_id = "example", name = "infrastructure", id = "2002" }
  }
  expect_failures = [var.repository]
}

run "star_for_number_is_refused" {
  command = plan
  variables {
    repository = { owner = "example", owner_id = "1001", name = "infrastructure", id = "*" }
  }
  expect_failures = [var.repository]
}

run "environment_named_as_a_gate_is_refused" {
  command = plan
  variables {
    environments = { prod-approval = { project_id = "example-prod", apply_roles = [] } }
  }
  expect_failures = [var.environments]
}

run "environment_in_the_pools_project_is_refused" {
  command = plan
  variables {
    environments = { dev = { project_id = "example-infra", apply_roles = ["roles/run.admin"] } }
  }
  expect_failures = [var.environments]
}

run "editor_is_refused" {
  command = plan
  variables {
    environments = { dev = { project_id = "example-dev", apply_roles = ["roles/editor"] } }
  }
  expect_failures = [var.environments]
}

run "unlimited_granting_is_refused" {
  command = plan
  variables {
    environments = { dev = { project_id = "example-dev", apply_roles = ["roles/resourcemanager.projectIamAdmin"] } }
  }
  expect_failures = [var.environments]
}

run "granting_owner_is_refused" {
  command = plan
  variables {
    environments = { dev = { project_id = "example-dev", apply_roles = [], grantable_roles = ["roles/owner"] } }
  }
  expect_failures = [var.environments]
}

run "writing_by_plan_is_refused" {
  command = plan
  variables {
    environments = { dev = { project_id = "example-dev", apply_roles = [], read_roles = ["roles/run.admin"] } }
  }
  expect_failures = [var.environments]
}

run "reading_secrets_by_plan_is_refused" {
  command = plan
  variables {
    environments = { dev = { project_id = "example-dev", apply_roles = [], read_roles = ["roles/secretmanager.secretAccessor"] } }
  }
  expect_failures = [var.environments]
}

run "trunk_as_full_ref_is_refused" {
  command = plan
  variables {
    trunk = "refs/heads/main"
  }
  expect_failures = [var.trunk]
}

run "workflow_by_path_is_refused" {
  command = plan
  variables {
    workflows = { apply = ".github/workflows/infra-apply.yml" }
  }
  expect_failures = [var.workflows]
}

run "one_workflow_for_two_uses_is_refused" {
  command = plan
  variables {
    workflows = { apply = "infra.yml", attest = "infra.yml" }
  }
  expect_failures = [var.workflows]
}

run "one_plan_workflow_for_all_environments_is_refused" {
  command = plan
  variables {
    workflows = { plan = "infra-plan-run.yml" }
  }
  expect_failures = [var.workflows]
}

run "pool_named_as_googles_is_refused" {
  command = plan
  variables {
    pool_id = "gcp-github"
  }
  expect_failures = [var.pool_id]
}

run "long_account_name_is_refused" {
  command = plan
  variables {
    account_prefix = "a-very-long-prefix-of-names"
  }
  expect_failures = [var.account_prefix]
}
