locals {
  # In promotion order, the environment before each one; its checks must have passed, and that is written there.
  usual_order = ["dev", "development", "test", "qa", "staging", "stage", "preprod", "prod", "production"]
  order       = var.promotion_order != null ? var.promotion_order : [for name in local.usual_order : name if contains(keys(var.environments), name)]
  before      = { for index, name in local.order : name => local.order[index - 1] if index > 0 }

  # Who may do what, and where; nothing reaches further than the folder that it names.
  grants = merge(concat([
    for environment, accounts in var.environments : {
      "${environment}/apply"       = { folder = "${environment}/", role = "roles/storage.objectUser", member = accounts.apply }
      "${environment}/plan/state"  = { folder = "${environment}/state/", role = "roles/storage.objectViewer", member = accounts.plan }
      "${environment}/plan/ledger" = { folder = "${environment}/ledger/", role = "roles/storage.objectViewer", member = accounts.plan }
      # May read plans and add one, but neither change nor delete one.
      "${environment}/plan/plans"        = { folder = "${environment}/plans/", role = "roles/storage.objectViewer", member = accounts.plan }
      "${environment}/plan/new-plans"    = { folder = "${environment}/plans/", role = "roles/storage.objectCreator", member = accounts.plan }
      "${environment}/plan/drift"        = { folder = "${environment}/drift/", role = "roles/storage.objectViewer", member = accounts.plan }
      "${environment}/plan/attestations" = { folder = "${environment}/attestations/", role = "roles/storage.objectViewer", member = accounts.plan }
      "${environment}/plan/promotion"    = { folder = "${environment}/promotion/", role = "roles/storage.objectViewer", member = accounts.plan }
      # Creates attestations and reads none, so it can change none either.
      "${environment}/attest/plans"        = { folder = "${environment}/plans/", role = "roles/storage.objectViewer", member = var.attest }
      "${environment}/attest/attestations" = { folder = "${environment}/attestations/", role = "roles/storage.objectCreator", member = var.attest }
      "${environment}/drift/state"         = { folder = "${environment}/state/", role = "roles/storage.objectViewer", member = accounts.drift }
      "${environment}/drift/ledger"        = { folder = "${environment}/ledger/", role = "roles/storage.objectViewer", member = accounts.drift }
      "${environment}/drift/drift"         = { folder = "${environment}/drift/", role = "roles/storage.objectUser", member = accounts.drift }
    }
    ], [
    for environment, before in local.before : {
      "${environment}/plan/before"  = { folder = "${before}/promotion/", role = "roles/storage.objectViewer", member = var.environments[environment].plan }
      "${environment}/apply/before" = { folder = "${before}/promotion/", role = "roles/storage.objectViewer", member = var.environments[environment].apply }
    }
  ])...)

  folders = toset([for grant in local.grants : grant.folder])
}

resource "google_storage_bucket" "this" {
  project  = var.project_id
  name     = var.name
  location = var.location
  labels   = var.labels

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  # Old versions go only when they are both many and old.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions         = var.noncurrent_versions.keep
      days_since_noncurrent_time = var.noncurrent_versions.days
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  dynamic "lifecycle_rule" {
    for_each = length(var.environments) > 0 ? [var.plan_days] : []

    content {
      action {
        type = "Delete"
      }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = flatten([for environment in sort(keys(var.environments)) : ["${environment}/attestations/", "${environment}/plans/"]])
      }
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]

    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Authoritative: it takes away the rights that a new bucket gives to the project's viewers, editors and owners.
resource "google_storage_bucket_iam_policy" "this" {
  bucket = google_storage_bucket.this.name

  policy_data = jsonencode({
    bindings = [{
      members = sort(var.admins)
      role    = "roles/storage.admin"
    }]
  })
}

resource "google_storage_managed_folder" "this" {
  for_each = local.folders

  bucket = google_storage_bucket.this.name
  name   = each.key
}

resource "google_storage_managed_folder_iam_member" "this" {
  for_each = local.grants

  bucket         = google_storage_bucket.this.name
  managed_folder = google_storage_managed_folder.this[each.value.folder].name
  role           = each.value.role
  member         = each.value.member
}
