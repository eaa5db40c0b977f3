resource "google_project" "this" {
  project_id      = var.project_id
  name            = var.name
  folder_id       = var.folder_id
  billing_account = var.billing_account
  labels          = var.labels

  # The default network has rules that let ssh and ping in from everywhere.
  auto_create_network = false
  deletion_policy     = "PREVENT"
}

locals {
  # What the other resources need themselves.
  needed = ["billingbudgets.googleapis.com", "cloudresourcemanager.googleapis.com", "monitoring.googleapis.com", "serviceusage.googleapis.com"]
}

resource "google_project_service" "this" {
  for_each = setunion(var.services, local.needed)

  project = google_project.this.project_id
  service = each.key

  # Who stops managing a service here does not want to break what uses it.
  disable_on_destroy = false
}

# Authoritative for these services: who reads data is in the log, and nobody is left out.
resource "google_project_iam_audit_config" "this" {
  for_each = var.audited_services

  project = google_project.this.project_id
  service = each.key

  dynamic "audit_log_config" {
    for_each = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]

    content {
      log_type = audit_log_config.value
    }
  }
}

resource "google_monitoring_notification_channel" "this" {
  for_each = var.budget.emails

  project      = google_project.this.project_id
  display_name = "budget: ${each.key}"
  type         = "email"
  user_labels  = var.labels

  labels = {
    email_address = each.value
  }

  depends_on = [google_project_service.this]
}

resource "google_billing_budget" "this" {
  billing_account = var.billing_account
  display_name    = var.project_id

  budget_filter {
    projects        = ["projects/${google_project.this.number}"]
    calendar_period = "MONTH"
  }

  amount {
    specified_amount {
      currency_code = var.budget.currency
      units         = tostring(var.budget.amount)
    }
  }

  dynamic "threshold_rules" {
    for_each = sort(formatlist("%07.2f", var.budget.percents))

    content {
      threshold_percent = threshold_rules.value / 100
    }
  }

  # Before it happens.
  threshold_rules {
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = [for key in sort(keys(var.budget.emails)) : google_monitoring_notification_channel.this[key].id]
    disable_default_iam_recipients   = length(var.budget.emails) > 0
  }

  depends_on = [google_project_service.this]
}
