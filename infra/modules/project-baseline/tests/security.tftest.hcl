mock_provider "google" {}

variables {
  project_id      = "example-shop-prod"
  name            = "Shop prod"
  folder_id       = "folders/1002"
  billing_account = "012345-567890-ABCDEF"
  budget          = { amount = 200, currency = "EUR" }
}

run "no_default_network" {
  command = plan

  assert {
    condition     = !google_project.this.auto_create_network
    error_message = "A project starts without the network that lets ssh in from everywhere."
  }

  assert {
    condition     = google_project.this.deletion_policy == "PREVENT"
    error_message = "The project is not deleted by a plan."
  }
}

run "every_access_to_data_is_logged" {
  command = plan

  assert {
    condition     = keys(google_project_iam_audit_config.this) == ["allServices"]
    error_message = "By default all services are audited."
  }

  assert {
    condition     = toset([for config in google_project_iam_audit_config.this["allServices"].audit_log_config : config.log_type]) == toset(["ADMIN_READ", "DATA_READ", "DATA_WRITE"])
    error_message = "Reading and writing are logged."
  }

  assert {
    condition     = alltrue([for config in google_project_iam_audit_config.this["allServices"].audit_log_config : length(coalesce(config.exempted_members, [])) == 0])
    error_message = "Nobody is left out of the log."
  }
}
