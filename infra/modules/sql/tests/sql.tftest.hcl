mock_provider "google" {}

variables {
  project_id = "example-dev"
  name       = "shop"
  region     = "europe-west1"
  network    = "projects/example-dev/global/networks/dev"
  databases  = ["shop"]
}

run "by_default_a_second_zone_stands_by" {
  command = plan

  assert {
    condition     = google_sql_database_instance.this.settings[0].availability_type == "REGIONAL" && google_sql_database_instance.this.settings[0].disk_autoresize_limit == 500
    error_message = "The instance survives a zone, and its disk grows up to a limit."
  }
}

run "one_zone" {
  command = plan

  variables {
    high_availability = false
  }

  assert {
    condition     = google_sql_database_instance.this.settings[0].availability_type == "ZONAL"
    error_message = "A second zone can be left out."
  }
}

run "flags_are_added" {
  command = plan

  variables {
    flags = { "log_min_duration_statement" = "1000" }
  }

  assert {
    condition     = toset([for flag in google_sql_database_instance.this.settings[0].database_flags : "${flag.name}=${flag.value}"]) == toset(["cloudsql.iam_authentication=on", "log_min_duration_statement=1000"])
    error_message = "Flags stand beside the one for IAM."
  }
}

run "users_have_the_names_that_postgresql_knows" {
  command = plan

  variables {
    users = {
      shop    = "serviceAccount:shop-run@example-dev.iam.gserviceaccount.com"
      ada     = "user:ada@example.com"
      support = "group:support@example.com"
    }
  }

  assert {
    condition     = { for key, user in google_sql_user.this : key => "${user.name} ${user.type}" } == { ada = "ada@example.com CLOUD_IAM_USER", shop = "shop-run@example-dev.iam CLOUD_IAM_SERVICE_ACCOUNT", support = "support@example.com CLOUD_IAM_GROUP" }
    error_message = "An account's name loses its last part, others stay whole."
  }
}
