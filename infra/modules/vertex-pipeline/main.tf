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

# google_vertex_ai_schedule is deprecated: this resource is the same schedule, for notebooks and pipelines.
resource "google_colab_schedule" "this" {
  for_each = var.schedules

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
