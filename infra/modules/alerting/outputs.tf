output "channels" {
  description = "The notification channels that were made, by the name given: their ids."
  value       = { for key, channel in google_monitoring_notification_channel.this : key => channel.id }
}

output "uptime_checks" {
  description = "The uptime checks, by the name given: their ids."
  value       = { for key, check in google_monitoring_uptime_check_config.this : key => check.id }
}

output "alerts" {
  description = "The alert policies, by uptime/NAME and errors/NAME: their ids."
  value = merge(
    { for key, policy in google_monitoring_alert_policy.uptime : "uptime/${key}" => policy.id },
    { for key, policy in google_monitoring_alert_policy.errors : "errors/${key}" => policy.id },
  )
}
