mock_provider "google" {}

variables {
  project_id = "example-dev"
  name       = "shop"
  region     = "europe-west1"
  network    = "projects/example-dev/global/networks/dev"
}

run "project_number_is_refused" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "name_with_a_capital_is_refused" {
  command = plan
  variables {
    name = "Shop"
  }
  expect_failures = [var.name]
}

run "zone_is_refused" {
  command = plan
  variables {
    region = "europe-west1-b"
  }
  expect_failures = [var.region]
}

run "network_by_its_name_is_refused" {
  command = plan
  variables {
    network = "dev"
  }
  expect_failures = [var.network]
}

run "old_version_is_refused" {
  command = plan
  variables {
    database_version = "POSTGRES_9_6"
  }
  expect_failures = [var.database_version]
}

run "unknown_edition_is_refused" {
  command = plan
  variables {
    edition = "STANDARD"
  }
  expect_failures = [var.edition]
}

run "shared_core_is_refused" {
  command = plan
  variables {
    tier = "db-f1-micro"
  }
  expect_failures = [var.tier]
}

run "limit_below_the_size_is_refused" {
  command = plan
  variables {
    disk = { gigabytes = 100, limit = 50 }
  }
  expect_failures = [var.disk]
}

run "few_backups_are_refused" {
  command = plan
  variables {
    backup = { keep = 3 }
  }
  expect_failures = [var.backup]
}

run "a_month_of_logs_is_refused_without_plus" {
  command = plan
  variables {
    backup = { log_days = 30 }
  }
  expect_failures = [var.backup]
}

run "an_eighth_day_is_refused" {
  command = plan
  variables {
    maintenance = { day = 8 }
  }
  expect_failures = [var.maintenance]
}

run "a_database_of_postgresql_is_refused" {
  command = plan
  variables {
    databases = ["postgres"]
  }
  expect_failures = [var.databases]
}

run "everybody_is_refused" {
  command = plan
  variables {
    users = { all = "allUsers" }
  }
  expect_failures = [var.users]
}

run "the_flag_for_iam_is_refused" {
  command = plan
  variables {
    flags = { "cloudsql.iam_authentication" = "off" }
  }
  expect_failures = [var.flags]
}

run "key_by_its_name_is_refused" {
  command = plan
  variables {
    kms_key = "sql"
  }
  expect_failures = [var.kms_key]
}
