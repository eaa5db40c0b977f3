resource "google_sql_database_instance" "this" {
  project          = var.project_id
  name             = var.name
  region           = var.region
  database_version = var.database_version

  encryption_key_name = var.kms_key
  # Terraform refuses to delete it; `deletion_protection_enabled` has Google refuse it too.
  deletion_protection = var.deletion_protection

  settings {
    edition           = var.edition
    tier              = var.tier
    availability_type = var.high_availability ? "REGIONAL" : "ZONAL"
    disk_type         = "PD_SSD"
    disk_size         = var.disk.gigabytes
    disk_autoresize   = true
    # 0 is no limit.
    disk_autoresize_limit       = var.disk.limit
    deletion_protection_enabled = var.deletion_protection
    retain_backups_on_delete    = true
    user_labels                 = var.labels

    ip_configuration {
      # An address in the network alone, and TLS with a client that is known.
      ipv4_enabled                                  = false
      private_network                               = var.network
      enable_private_path_for_google_cloud_services = true
      ssl_mode                                      = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = var.backup.start
      location                       = var.backup.location
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = var.backup.log_days

      backup_retention_settings {
        retained_backups = var.backup.keep
        retention_unit   = "COUNT"
      }
    }

    maintenance_window {
      day          = var.maintenance.day
      hour         = var.maintenance.hour
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled = true
      # What a query holds may be somebody's data.
      record_client_address   = false
      record_application_tags = true
    }

    dynamic "database_flags" {
      for_each = merge({ "cloudsql.iam_authentication" = "on" }, var.flags)

      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }

  lifecycle {
    prevent_destroy = true
    # It grows by itself.
    ignore_changes = [settings[0].disk_size]
  }
}

resource "google_sql_database" "this" {
  for_each = var.databases

  project  = var.project_id
  instance = google_sql_database_instance.this.name
  name     = each.key

  # A database that is no longer listed stays, with its data.
  deletion_policy = "ABANDON"
}

# People and services sign in with IAM: there is no password.
resource "google_sql_user" "this" {
  for_each = var.users

  project  = var.project_id
  instance = google_sql_database_instance.this.name
  # The part that PostgreSQL knows: an account's address without its last part.
  name = startswith(each.value, "serviceAccount:") ? trimsuffix(trimprefix(each.value, "serviceAccount:"), ".gserviceaccount.com") : split(":", each.value)[1]
  type = {
    serviceAccount = "CLOUD_IAM_SERVICE_ACCOUNT"
    user           = "CLOUD_IAM_USER"
    group          = "CLOUD_IAM_GROUP"
  }[split(":", each.value)[0]]
}

resource "google_project_iam_member" "client" {
  for_each = {
    for pair in setproduct(keys(var.users), ["roles/cloudsql.client", "roles/cloudsql.instanceUser"]) :
    "${pair[0]}/${pair[1]}" => { member = var.users[pair[0]], role = pair[1] }
  }

  project = var.project_id
  role    = each.value.role
  member  = each.value.member

  # Of this instance, and of no other in the project.
  condition {
    title      = "only ${var.name}"
    expression = "resource.name == \"projects/${var.project_id}/instances/${var.name}\" && resource.service == \"sqladmin.googleapis.com\""
  }
}
