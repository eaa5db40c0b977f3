mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      name   = "projects/example-dev/serviceAccounts/ml-runner@example-dev.iam.gserviceaccount.com"
      email  = "ml-runner@example-dev.iam.gserviceaccount.com"
      member = "serviceAccount:ml-runner@example-dev.iam.gserviceaccount.com"
    }
  }

  mock_resource "google_storage_bucket" {
    defaults = {
      url = "gs://example-dev-ml-artifacts"
    }
  }
}

variables {
  project_id = "example-dev"
  region     = "europe-west1"
  name       = "ml"
  schedules = {
    train = {
      cron         = "TZ=Europe/Paris 0 4 * * MON"
      template_uri = "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines/train/sha256:f94bc0a8a0a4c96fe3a89e71050ff05a3dc1aa69b7992f9511482650473c9c75"
      parameters   = { epochs = "3" }
    }
  }
}

run "without_schedules" {
  command = plan

  variables {
    schedules = {}
  }

  assert {
    condition     = length(google_colab_schedule.this) == 0 && google_storage_bucket.artifacts.name == "example-dev-ml-artifacts"
    error_message = "A pipeline can be developed before it runs by the clock."
  }

  assert {
    condition     = google_artifact_registry_repository.this["images"].format == "DOCKER" && google_artifact_registry_repository.this["pipelines"].format == "KFP"
    error_message = "Images and compiled pipelines have a repository each."
  }

  assert {
    condition     = length(google_storage_bucket.artifacts.lifecycle_rule) == 1
    error_message = "What the runs wrote is kept unless artifact_days says otherwise."
  }
}

run "a_schedule_runs_a_pipeline" {
  assert {
    condition     = google_colab_schedule.this["train"].cron == "TZ=Europe/Paris 0 4 * * MON" && google_colab_schedule.this["train"].desired_state == "ACTIVE"
    error_message = "The schedule runs when cron says so."
  }

  assert {
    condition     = google_colab_schedule.this["train"].create_pipeline_job_request[0].pipeline_job[0].template_uri == "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines/train/sha256:f94bc0a8a0a4c96fe3a89e71050ff05a3dc1aa69b7992f9511482650473c9c75"
    error_message = "It runs the pipeline that was given."
  }

  assert {
    condition     = google_colab_schedule.this["train"].create_pipeline_job_request[0].pipeline_job[0].runtime_config[0].gcs_output_directory == "gs://example-dev-ml-artifacts/runs/train"
    error_message = "Each schedule writes to a folder of its own."
  }

  assert {
    condition     = google_colab_schedule.this["train"].create_pipeline_job_request[0].pipeline_job[0].runtime_config[0].parameter_values == tomap({ epochs = "3" })
    error_message = "The parameters reach the run."
  }
}

run "a_paused_schedule" {
  command = plan

  variables {
    schedules = {
      train = { cron = "0 4 * * *", template_uri = "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines/train/sha256:f94bc0a8a0a4c96fe3a89e71050ff05a3dc1aa69b7992f9511482650473c9c75", paused = true }
    }
    artifact_days = 30
  }

  assert {
    condition     = google_colab_schedule.this["train"].desired_state == "PAUSED"
    error_message = "A paused schedule exists and does not run."
  }

  assert {
    condition     = one(google_storage_bucket.artifacts.lifecycle_rule[1].condition).age == 30 && one(google_storage_bucket.artifacts.lifecycle_rule[1].condition).matches_prefix == tolist(["runs/"])
    error_message = "Only what runs wrote is deleted by age."
  }
}

run "outputs_name_every_resource" {
  variables {
    readers    = { web = "serviceAccount:web-run@example-dev.iam.gserviceaccount.com" }
    publishers = { build = "serviceAccount:ml-build@example-dev.iam.gserviceaccount.com" }
  }

  assert {
    condition = output.repositories == {
      images    = "europe-west1-docker.pkg.dev/example-dev/ml-images"
      pipelines = "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines"
    }
    error_message = "The repositories' addresses are outputs."
  }

  assert {
    condition     = output.artifacts.url == "gs://example-dev-ml-artifacts" && output.runner.email == google_service_account.runner.email
    error_message = "The bucket and the runner are outputs."
  }

  assert {
    condition     = keys(output.schedules) == ["train"] && keys(output.readers) == ["web"] && keys(output.publishers) == ["images/build", "pipelines/build"]
    error_message = "Schedules and grants are outputs."
  }

  assert {
    condition     = keys(output.runner_grants) == ["artifacts", "images", "pipelines", "project"]
    error_message = "Each right of the runner is an output."
  }
}

run "cloud_scheduler_as_the_clock" {
  variables {
    schedules = {
      train = {
        cron         = "TZ=Europe/Paris 0 4 * * MON"
        template_uri = "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines/train/sha256:f94bc0a8a0a4c96fe3a89e71050ff05a3dc1aa69b7992f9511482650473c9c75"
        parameters   = { epochs = "3" }
        clock        = "scheduler"
      }
    }
  }

  assert {
    condition     = length(google_colab_schedule.this) == 0 && google_cloud_scheduler_job.this["train"].schedule == "0 4 * * MON" && google_cloud_scheduler_job.this["train"].time_zone == "Europe/Paris"
    error_message = "Cloud Scheduler takes the zone apart from the time."
  }

  assert {
    condition     = jsondecode(base64decode(google_cloud_scheduler_job.this["train"].http_target[0].body)).templateUri == var.schedules["train"].template_uri && jsondecode(base64decode(google_cloud_scheduler_job.this["train"].http_target[0].body)).serviceAccount == "ml-runner@example-dev.iam.gserviceaccount.com"
    error_message = "It asks for the same run."
  }

  assert {
    condition     = google_cloud_scheduler_job.this["train"].http_target[0].oauth_token[0].service_account_email == "ml-runner@example-dev.iam.gserviceaccount.com" && google_service_account_iam_member.runner[0].role == "roles/iam.serviceAccountUser"
    error_message = "It asks as the runner, which may act as itself."
  }

  assert {
    condition     = google_cloud_scheduler_job.this["train"].retry_config[0].retry_count == 0
    error_message = "A run is not started twice."
  }
}

run "utc_without_a_zone" {
  command = plan

  variables {
    schedules = {
      train = {
        cron         = "0 4 * * *"
        template_uri = "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines/train/sha256:f94bc0a8a0a4c96fe3a89e71050ff05a3dc1aa69b7992f9511482650473c9c75"
        clock        = "scheduler"
      }
    }
  }

  assert {
    condition     = google_cloud_scheduler_job.this["train"].schedule == "0 4 * * *" && google_cloud_scheduler_job.this["train"].time_zone == "Etc/UTC"
    error_message = "Without a zone the time is UTC."
  }
}

run "a_failed_run_is_told" {
  command = plan

  variables {
    alert_channels = { team = "projects/example-dev/notificationChannels/1001" }
  }

  assert {
    condition     = google_monitoring_alert_policy.failed[0].notification_channels == tolist(["projects/example-dev/notificationChannels/1001"])
    error_message = "The channels are told of a run that failed."
  }
}
