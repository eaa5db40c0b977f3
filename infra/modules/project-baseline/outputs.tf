output "project" {
  description = "The project: its id and its number, once its services are on."
  value = {
    id     = google_project.this.project_id
    number = google_project.this.number
  }

  depends_on = [google_project_service.this]
}

output "services" {
  description = "The services that are on: their ids, by name."
  value       = { for name, service in google_project_service.this : name => service.id }
}

output "audit" {
  description = "The services whose data access is logged: the configurations' ids, by service."
  value       = { for name, config in google_project_iam_audit_config.this : name => config.id }
}

output "budget" {
  description = "The budget's id, and those of the channels that it tells, by name."
  value = {
    id       = google_billing_budget.this.id
    channels = { for key, channel in google_monitoring_notification_channel.this : key => channel.id }
  }
}
