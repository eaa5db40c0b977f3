locals {
  repositories = {
    images    = "DOCKER"
    pipelines = "KFP"
  }
}

resource "google_storage_bucket" "artifacts" {
  project  = var.project_id
  name     = "${var.project_id}-${var.name}-artifacts"
  location = upper(var.region)
  labels   = var.labels

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true
  }

  # What a later run replaced is kept for a month.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.artifact_days[*]

    content {
      action {
        type = "Delete"
      }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = ["runs/"]
      }
    }
  }
}

resource "google_artifact_registry_repository" "this" {
  for_each = local.repositories

  project       = var.project_id
  location      = var.region
  repository_id = "${var.name}-${each.key}"
  format        = each.value
  labels        = var.labels

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-untagged"
    action = "DELETE"
    condition {
      tag_state  = "UNTAGGED"
      older_than = "2592000s"
    }
  }

  dynamic "docker_config" {
    for_each = each.value == "DOCKER" ? [true] : []

    content {
      immutable_tags = docker_config.value
    }
  }
}

resource "google_service_account" "runner" {
  project      = var.project_id
  account_id   = "${var.name}-runner"
  display_name = "Runs the pipelines of ${var.name}"
}

resource "google_project_iam_member" "runner" {
  project = var.project_id
  role    = "roles/aiplatform.user"
  member  = google_service_account.runner.member
}

resource "google_storage_bucket_iam_member" "runner" {
  bucket = google_storage_bucket.artifacts.name
  role   = "roles/storage.objectUser"
  member = google_service_account.runner.member
}

resource "google_storage_bucket_iam_member" "reader" {
  for_each = var.readers

  bucket = google_storage_bucket.artifacts.name
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_artifact_registry_repository_iam_member" "runner" {
  for_each = google_artifact_registry_repository.this

  project    = each.value.project
  location   = each.value.location
  repository = each.value.repository_id
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.runner.member
}

resource "google_artifact_registry_repository_iam_member" "publisher" {
  for_each = {
    for pair in setproduct(keys(local.repositories), keys(var.publishers)) :
    "${pair[0]}/${pair[1]}" => { repository = pair[0], member = var.publishers[pair[1]] }
  }

  project    = var.project_id
  location   = google_artifact_registry_repository.this[each.value.repository].location
  repository = google_artifact_registry_repository.this[each.value.repository].repository_id
  role       = "roles/artifactregistry.writer"
  member     = each.value.member
}

locals {
  schedules = {
    for clock in ["vertex", "scheduler"] : clock => { for name, schedule in var.schedules : name => schedule if schedule.clock == clock }
  }
}

# google_vertex_ai_schedule is deprecated: this resource is the same schedule, for notebooks and pipelines.
resource "google_colab_schedule" "this" {
  for_each = local.schedules["vertex"]

  project      = var.project_id
  location     = var.region
  display_name = "${var.name}-${each.key}"

  cron                     = each.value.cron
  desired_state            = each.value.paused ? "PAUSED" : "ACTIVE"
  max_concurrent_run_count = "1"

  create_pipeline_job_request {
    pipeline_job {
      display_name    = "${var.name}-${each.key}"
      service_account = google_service_account.runner.email
      template_uri    = each.value.template_uri
      labels          = var.labels

      runtime_config {
        gcs_output_directory = "${google_storage_bucket.artifacts.url}/runs/${each.key}"
        parameter_values     = each.value.parameters
        failure_policy       = "PIPELINE_FAILURE_POLICY_FAIL_FAST"
      }
    }
  }

  # A run that starts before the runner has its rights fails.
  depends_on = [
    google_artifact_registry_repository_iam_member.runner,
    google_project_iam_member.runner,
    google_storage_bucket_iam_member.runner,
  ]
}

# Cloud Scheduler asks for the run as the runner, which must then be allowed to act as itself.
resource "google_service_account_iam_member" "runner" {
  count = length(local.schedules["scheduler"]) > 0 ? 1 : 0

  service_account_id = google_service_account.runner.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.runner.member
}

resource "google_cloud_scheduler_job" "this" {
  for_each = local.schedules["scheduler"]

  project   = var.project_id
  region    = var.region
  name      = "${var.name}-${each.key}"
  schedule  = trimprefix(each.value.cron, "TZ=${local.time_zones[each.key]} ")
  time_zone = local.time_zones[each.key]
  paused    = each.value.paused

  http_target {
    http_method = "POST"
    uri         = "https://${var.region}-aiplatform.googleapis.com/v1/projects/${var.project_id}/locations/${var.region}/pipelineJobs"
    headers     = { "Content-Type" = "application/json" }

    body = base64encode(jsonencode({
      displayName    = "${var.name}-${each.key}"
      serviceAccount = google_service_account.runner.email
      templateUri    = each.value.template_uri
      labels         = var.labels
      runtimeConfig = {
        gcsOutputDirectory = "${google_storage_bucket.artifacts.url}/runs/${each.key}"
        parameterValues    = each.value.parameters
        failurePolicy      = "PIPELINE_FAILURE_POLICY_FAIL_FAST"
      }
    }))

    oauth_token {
      service_account_email = google_service_account.runner.email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  retry_config {
    # A request that was lost may have started a run.
    retry_count = 0
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.runner,
    google_project_iam_member.runner,
    google_service_account_iam_member.runner,
    google_storage_bucket_iam_member.runner,
  ]
}

locals {
  time_zones = { for name, schedule in var.schedules : name => try(regex("^TZ=(\\S+) ", schedule.cron)[0], "Etc/UTC") }
}

resource "google_monitoring_alert_policy" "failed" {
  count = length(var.alert_channels) > 0 ? 1 : 0

  project               = var.project_id
  display_name          = "${var.name}: a pipeline failed"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = sort(values(var.alert_channels))
  user_labels           = var.labels

  conditions {
    display_name = "a run ended as failed"

    condition_matched_log {
      filter = "resource.type=\"aiplatform.googleapis.com/PipelineJob\" AND jsonPayload.state=\"PIPELINE_STATE_FAILED\""
    }
  }

  alert_strategy {
    notification_rate_limit {
      period = "3600s"
    }
  }
}
