mock_provider "google" {}

variables {
  project_id = "example-prod"
  name       = "shop"
  region     = "europe-west1"
  network    = "projects/example-prod/global/networks/prod"
  users      = { shop = "serviceAccount:shop-run@example-prod.iam.gserviceaccount.com" }
  databases  = ["shop"]
}

run "it_has_no_public_address_and_speaks_tls" {
  command = plan

  assert {
    condition     = !google_sql_database_instance.this.settings[0].ip_configuration[0].ipv4_enabled && length(google_sql_database_instance.this.settings[0].ip_configuration[0].authorized_networks) == 0
    error_message = "Only its network reaches it."
  }

  assert {
    condition     = google_sql_database_instance.this.settings[0].ip_configuration[0].ssl_mode == "ENCRYPTED_ONLY"
    error_message = "No connection is without TLS."
  }
}

run "it_is_hard_to_lose" {
  command = plan

  assert {
    condition     = google_sql_database_instance.this.deletion_protection && google_sql_database_instance.this.settings[0].deletion_protection_enabled && google_sql_database_instance.this.settings[0].retain_backups_on_delete
    error_message = "Terraform and Google refuse to delete it, and backups outlive it."
  }

  assert {
    condition     = google_sql_database_instance.this.settings[0].backup_configuration[0].enabled && google_sql_database_instance.this.settings[0].backup_configuration[0].point_in_time_recovery_enabled && google_sql_database.this["shop"].deletion_policy == "ABANDON"
    error_message = "There are backups, any moment of a week can be restored, and no plan drops a database."
  }
}

run "nobody_has_a_password" {
  command = plan

  assert {
    condition     = alltrue([for user in google_sql_user.this : user.password == null && startswith(user.type, "CLOUD_IAM_")])
    error_message = "Users sign in with IAM."
  }

  assert {
    condition     = alltrue([for grant in google_project_iam_member.client : length(grant.condition) == 1 && strcontains(grant.condition[0].expression, "/instances/shop\"")])
    error_message = "A user may connect to this instance alone."
  }
}
