mock_provider "google" {
  override_during = plan

  mock_resource "google_project" {
    defaults = {
      number = "123456789012"
    }
  }
}

variables {
  project_id      = "example-shop-dev"
  name            = "Shop dev"
  folder_id       = "folders/1001"
  billing_account = "012345-567890-ABCDEF"
  budget          = { amount = 200, currency = "EUR", percents = [100, 50, 90] }
}

run "services_that_it_needs_are_on" {
  command = plan

  variables {
    services = ["run.googleapis.com", "monitoring.googleapis.com"]
  }

  assert {
    condition     = keys(google_project_service.this) == ["billingbudgets.googleapis.com", "cloudresourcemanager.googleapis.com", "monitoring.googleapis.com", "run.googleapis.com", "serviceusage.googleapis.com"]
    error_message = "What was asked for, and what the module needs, each once."
  }

  assert {
    condition     = alltrue([for service in google_project_service.this : !service.disable_on_destroy])
    error_message = "A service that is no longer managed stays on."
  }
}

run "the_budget_is_of_this_project" {
  command = plan

  assert {
    condition     = one(google_billing_budget.this.budget_filter).projects == toset(["projects/123456789012"])
    error_message = "The budget counts this project alone."
  }

  assert {
    condition     = [for rule in google_billing_budget.this.threshold_rules : rule.threshold_percent] == [0.5, 0.9, 1, 1]
    error_message = "Percentages are in order, and the forecast is the last."
  }

  assert {
    condition     = !one(google_billing_budget.this.all_updates_rule).disable_default_iam_recipients
    error_message = "Without addresses, those who administer the billing account are told."
  }
}

run "the_addresses_are_told" {
  command = plan

  variables {
    budget = { amount = 200, currency = "EUR", emails = { shop = "shop@example.com" } }
  }

  assert {
    condition     = length(one(google_billing_budget.this.all_updates_rule).monitoring_notification_channels) == 1 && one(google_billing_budget.this.all_updates_rule).disable_default_iam_recipients
    error_message = "With addresses, they are told and nobody else."
  }
}
