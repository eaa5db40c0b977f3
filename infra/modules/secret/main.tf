# The secret alone: its values are added by people or programs, and are in no state and no plan.
resource "google_secret_manager_secret" "this" {
  project   = var.project_id
  secret_id = var.name
  labels    = var.labels

  deletion_protection = var.deletion_protection
  version_destroy_ttl = "${var.version_destroy_days * 86400}s"

  replication {
    dynamic "auto" {
      for_each = length(var.locations) == 0 ? [true] : []

      content {
        dynamic "customer_managed_encryption" {
          for_each = var.kms_keys[*]

          content {
            kms_key_name = customer_managed_encryption.value["global"]
          }
        }
      }
    }

    dynamic "user_managed" {
      for_each = length(var.locations) > 0 ? [true] : []

      content {
        dynamic "replicas" {
          for_each = sort(var.locations)

          content {
            location = replicas.value

            dynamic "customer_managed_encryption" {
              for_each = var.kms_keys[*]

              content {
                kms_key_name = customer_managed_encryption.value[replicas.value]
              }
            }
          }
        }
      }
    }
  }

  dynamic "topics" {
    for_each = var.rotation[*]

    content {
      name = topics.value.topic
    }
  }

  dynamic "rotation" {
    for_each = var.rotation[*]

    content {
      rotation_period    = "${rotation.value.days * 86400}s"
      next_rotation_time = rotation.value.first
    }
  }

  lifecycle {
    # Google moves it on with each reminder.
    ignore_changes = [rotation[0].next_rotation_time]
  }
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = var.readers

  project   = var.project_id
  secret_id = google_secret_manager_secret.this.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}

# May add a value, and read none.
resource "google_secret_manager_secret_iam_member" "writer" {
  for_each = var.writers

  project   = var.project_id
  secret_id = google_secret_manager_secret.this.secret_id
  role      = "roles/secretmanager.secretVersionAdder"
  member    = each.value
}
