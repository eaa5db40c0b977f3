mock_provider "google" {}

variables {
  project_id      = "example-shop-dev"
  name            = "Shop dev"
  folder_id       = "folders/1001"
  billing_account = "012345-567890-ABCDEF"
  budget          = { amount = 200, currency = "EUR" }
}

run "project_number_is_refused" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "short_name_is_refused" {
  command = plan
  variables {
    name = "dev"
  }
  expect_failures = [var.name]
}

run "organization_as_folder_is_refused" {
  command = plan
  variables {
    folder_id = "organizations/1001"
  }
  expect_failures = [var.folder_id]
}

run "billing_account_with_its_prefix_is_refused" {
  command = plan
  variables {
    billing_account = "billingAccounts/012345-567890-ABCDEF"
  }
  expect_failures = [var.billing_account]
}

run "part_of_an_amount_is_refused" {
  command = plan
  variables {
    budget = { amount = 10.5, currency = "EUR" }
  }
  expect_failures = [var.budget]
}

run "no_percentage_is_refused" {
  command = plan
  variables {
    budget = { amount = 10, currency = "EUR", percents = [] }
  }
  expect_failures = [var.budget]
}

run "six_addresses_are_refused" {
  command = plan
  variables {
    budget = { amount = 10, currency = "EUR", emails = { for index in range(6) : "m${index}" => "m${index}@example.com" } }
  }
  expect_failures = [var.budget]
}

run "short_service_name_is_refused" {
  command = plan
  variables {
    services = ["run"]
  }
  expect_failures = [var.services]
}

run "short_audited_name_is_refused" {
  command = plan
  variables {
    audited_services = ["storage"]
  }
  expect_failures = [var.audited_services]
}
