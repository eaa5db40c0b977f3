mock_provider "google" {}

variables {
  project_id = "example-infra"
  name       = "example-infra-state"
  location   = "EU"
  admins     = ["group:platform@example.com"]
  attest     = "serviceAccount:attest@example-infra.iam.gserviceaccount.com"
  environments = {
    dev = {
      plan  = "serviceAccount:dev-plan@example-infra.iam.gserviceaccount.com"
      apply = "serviceAccount:dev-apply@example-infra.iam.gserviceaccount.com"
      drift = "serviceAccount:dev-drift@example-infra.iam.gserviceaccount.com"
    }
  }
}

run "project_number_is_refused" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "name_in_capitals_is_refused" {
  command = plan
  variables {
    name = "Example-State"
  }
  expect_failures = [var.name]
}

run "name_of_googles_is_refused" {
  command = plan
  variables {
    name = "my-google-state"
  }
  expect_failures = [var.name]
}

run "location_in_lower_case_is_refused" {
  command = plan
  variables {
    location = "europe-west1"
  }
  expect_failures = [var.location]
}

run "no_admins_is_refused" {
  command = plan
  variables {
    admins = []
  }
  expect_failures = [var.admins]
}

run "everybody_as_admin_is_refused" {
  command = plan
  variables {
    admins = ["allUsers"]
  }
  expect_failures = [var.admins]
}

run "project_editors_as_admins_are_refused" {
  command = plan
  variables {
    admins = ["projectEditor:example-infra"]
  }
  expect_failures = [var.admins]
}

run "bootstrap_as_environment_is_refused" {
  command = plan
  variables {
    environments = {
      bootstrap = { plan = "serviceAccount:a@p.iam.gserviceaccount.com", apply = "serviceAccount:b@p.iam.gserviceaccount.com", drift = "serviceAccount:c@p.iam.gserviceaccount.com" }
    }
  }
  expect_failures = [var.environments]
}

run "email_without_kind_is_refused" {
  command = plan
  variables {
    environments = {
      dev = { plan = "a@p.iam.gserviceaccount.com", apply = "serviceAccount:b@p.iam.gserviceaccount.com", drift = "serviceAccount:c@p.iam.gserviceaccount.com" }
    }
  }
  expect_failures = [var.environments]
}

run "everybody_as_account_is_refused" {
  command = plan
  variables {
    environments = {
      dev = { plan = "allAuthenticatedUsers", apply = "serviceAccount:b@p.iam.gserviceaccount.com", drift = "serviceAccount:c@p.iam.gserviceaccount.com" }
    }
  }
  expect_failures = [var.environments]
}

run "one_account_for_two_uses_is_refused" {
  command = plan
  variables {
    environments = {
      dev = { plan = "serviceAccount:a@p.iam.gserviceaccount.com", apply = "serviceAccount:a@p.iam.gserviceaccount.com", drift = "serviceAccount:c@p.iam.gserviceaccount.com" }
    }
  }
  expect_failures = [var.environments]
}

run "one_account_for_two_environments_is_refused" {
  command = plan
  variables {
    environments = {
      dev  = { plan = "serviceAccount:a@p.iam.gserviceaccount.com", apply = "serviceAccount:b@p.iam.gserviceaccount.com", drift = "serviceAccount:c@p.iam.gserviceaccount.com" }
      prod = { plan = "serviceAccount:a@p.iam.gserviceaccount.com", apply = "serviceAccount:e@p.iam.gserviceaccount.com", drift = "serviceAccount:f@p.iam.gserviceaccount.com" }
    }
  }
  expect_failures = [var.environments]
}

run "an_account_that_attests_what_it_plans_is_refused" {
  command = plan
  variables {
    attest = "serviceAccount:dev-plan@example-infra.iam.gserviceaccount.com"
  }
  expect_failures = [var.attest]
}

run "unknown_environment_in_the_order_is_refused" {
  command = plan
  variables {
    promotion_order = ["dev", "elsewhere"]
  }
  expect_failures = [var.promotion_order]
}

run "few_versions_are_refused" {
  command = plan
  variables {
    noncurrent_versions = { keep = 1 }
  }
  expect_failures = [var.noncurrent_versions]
}

run "short_soft_delete_is_refused" {
  command = plan
  variables {
    soft_delete_days = 0
  }
  expect_failures = [var.soft_delete_days]
}

run "short_lived_plans_are_refused" {
  command = plan
  variables {
    plan_days = 1
  }
  expect_failures = [var.plan_days]
}

run "key_by_short_name_is_refused" {
  command = plan
  variables {
    kms_key = "state"
  }
  expect_failures = [var.kms_key]
}

run "a_prefix_that_leads_elsewhere" {
  command = plan

  variables {
    prefix = "teams/../bootstrap"
  }

  expect_failures = [var.prefix]
}

run "a_second_repository_in_the_first_one_s_environment" {
  command = plan

  variables {
    repositories = {
      "dev" = {
        attest       = "serviceAccount:x0@p.iam.gserviceaccount.com"
        environments = { shop = { plan = "serviceAccount:x1@p.iam.gserviceaccount.com", apply = "serviceAccount:x2@p.iam.gserviceaccount.com", drift = "serviceAccount:x3@p.iam.gserviceaccount.com" } }
      }
    }
  }

  expect_failures = [var.repositories]
}

run "a_second_repository_beside_the_bootstrap" {
  command = plan

  variables {
    repositories = {
      "bootstrap/shop" = {
        attest       = "serviceAccount:x0@p.iam.gserviceaccount.com"
        environments = { dev = { plan = "serviceAccount:x1@p.iam.gserviceaccount.com", apply = "serviceAccount:x2@p.iam.gserviceaccount.com", drift = "serviceAccount:x3@p.iam.gserviceaccount.com" } }
      }
    }
  }

  expect_failures = [var.repositories]
}

run "a_second_repository_with_an_account_of_the_first" {
  command = plan

  variables {
    repositories = {
      "shop" = {
        attest       = "serviceAccount:dev-plan@example-infra.iam.gserviceaccount.com"
        environments = { dev = { plan = "serviceAccount:x1@p.iam.gserviceaccount.com", apply = "serviceAccount:x2@p.iam.gserviceaccount.com", drift = "serviceAccount:x3@p.iam.gserviceaccount.com" } }
      }
    }
  }

  expect_failures = [var.repositories]
}

run "a_second_repository_for_everybody" {
  command = plan

  variables {
    repositories = {
      "shop" = {
        attest       = "allUsers"
        environments = { dev = { plan = "serviceAccount:x1@p.iam.gserviceaccount.com", apply = "serviceAccount:x2@p.iam.gserviceaccount.com", drift = "serviceAccount:x3@p.iam.gserviceaccount.com" } }
      }
    }
  }

  expect_failures = [var.repositories]
}

run "a_second_repository_with_an_environment_of_an_odd_name" {
  command = plan

  variables {
    repositories = {
      "shop" = {
        attest       = "serviceAccount:x0@p.iam.gserviceaccount.com"
        environments = { "Dev/x" = { plan = "serviceAccount:x1@p.iam.gserviceaccount.com", apply = "serviceAccount:x2@p.iam.gserviceaccount.com", drift = "serviceAccount:x3@p.iam.gserviceaccount.com" } }
      }
    }
  }

  expect_failures = [var.repositories]
}

run "a_second_repository_that_promotes_an_unknown_environment" {
  command = plan

  variables {
    repositories = {
      "shop" = {
        attest          = "serviceAccount:x0@p.iam.gserviceaccount.com"
        environments    = { dev = { plan = "serviceAccount:x1@p.iam.gserviceaccount.com", apply = "serviceAccount:x2@p.iam.gserviceaccount.com", drift = "serviceAccount:x3@p.iam.gserviceaccount.com" } }
        promotion_order = ["dev", "elsewhere"]
      }
    }
  }

  expect_failures = [var.repositories]
}
