resource "google_monitoring_notification_channel" "this" {
  for_each = var.emails

  project      = var.project_id
  display_name = "${var.name}: ${each.key}"
  type         = "email"
  user_labels  = var.labels

  labels = {
    email_address = each.value
  }
}

locals {
  channels = concat(
    [for key in sort(keys(var.emails)) : google_monitoring_notification_channel.this[key].id],
    sort(var.channels),
  )
}

resource "google_monitoring_uptime_check_config" "this" {
  for_each = var.uptime

  project      = var.project_id
  display_name = "${var.name}: ${each.key}"
  period       = "${each.value.every_seconds}s"
  timeout      = "${each.value.timeout_seconds}s"
  user_labels  = var.labels

  log_check_failures = true

  http_check {
    path           = each.value.path
    port           = 443
    use_ssl        = true
    validate_ssl   = true
    request_method = "GET"

    accepted_response_status_codes {
      status_class = "STATUS_CLASS_2XX"
    }
  }

  dynamic "content_matchers" {
    for_each = each.value.contains[*]

    content {
      content = content_matchers.value
      matcher = "CONTAINS_STRING"
    }
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project_id
      host       = each.value.host
    }
  }
}

resource "google_monitoring_alert_policy" "uptime" {
  for_each = var.uptime

  project               = var.project_id
  display_name          = "${var.name}: ${each.key} does not answer"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "fails from more than one region"

    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"uptime_url\"",
        "metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\"",
        "metric.labels.check_id = \"${google_monitoring_uptime_check_config.this[each.key].uptime_check_id}\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "${each.value.for_seconds}s"

      aggregations {
        alignment_period     = "1200s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }

      trigger {
        count = 1
      }
    }
  }

  documentation {
    content   = coalesce(each.value.runbook, "https://${each.value.host}${each.value.path} fails from more than one region.")
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "errors" {
  for_each = var.error_rates

  project               = var.project_id
  display_name          = "${var.name}: ${each.key} answers with errors"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "more than ${each.value.percent} % of the answers are 5xx"

    condition_threshold {
      filter             = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${each.value.service}\" AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
      denominator_filter = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${each.value.service}\" AND metric.type = \"run.googleapis.com/request_count\""
      comparison         = "COMPARISON_GT"
      threshold_value    = each.value.percent / 100
      duration           = "${each.value.for_seconds}s"

      # No request is no error.
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
      }

      denominator_aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
      }

      trigger {
        count = 1
      }
    }
  }

  documentation {
    content   = coalesce(each.value.runbook, "More than ${each.value.percent} % of the answers of ${each.value.service} are 5xx.")
    mime_type = "text/markdown"
  }
}
