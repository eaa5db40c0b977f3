mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      name   = "projects/example-prod/serviceAccounts/ml-runner@example-prod.iam.gserviceaccount.com"
      email  = "ml-runner@example-prod.iam.gserviceaccount.com"
      member = "serviceAccount:ml-runner@example-prod.iam.gserviceaccount.com"
    }
  }
}

variables {
  project_id = "example-prod"
  region     = "europe-west1"
  name       = "ml"
  schedules = {
    train = { cron = "0 4 * * *", template_uri = "https://europe-west1-kfp.pkg.dev/example-prod/ml-pipelines/train/sha256:f94bc0a8a0a4c96fe3a89e71050ff05a3dc1aa69b7992f9511482650473c9c75" }
  }
  readers    = { web = "serviceAccount:web-run@example-prod.iam.gserviceaccount.com" }
  publishers = { build = "serviceAccount:ml-build@example-prod.iam.gserviceaccount.com" }
}

run "the_artifacts_are_private_and_versioned" {
  command = plan

  assert {
    condition     = google_storage_bucket.artifacts.uniform_bucket_level_access && google_storage_bucket.artifacts.public_access_prevention == "enforced"
    error_message = "No artifact can be made public."
  }

  assert {
    condition     = google_storage_bucket.artifacts.versioning[0].enabled && google_storage_bucket.artifacts.force_destroy == false
    error_message = "A replaced artifact can be had back, and the bucket is not emptied to be deleted."
  }
}

run "pipelines_run_as_their_own_account" {
  assert {
    condition     = google_colab_schedule.this["train"].create_pipeline_job_request[0].pipeline_job[0].service_account == google_service_account.runner.email
    error_message = "A run acts as the runner, never as the project's default account."
  }

  assert {
    condition = toset(concat(
      [google_project_iam_member.runner.role, google_storage_bucket_iam_member.runner.role],
      [for grant in google_artifact_registry_repository_iam_member.runner : grant.role],
    )) == toset(["roles/aiplatform.user", "roles/storage.objectUser", "roles/artifactregistry.reader"])
    error_message = "The runner runs jobs, writes its artifacts and reads its images, and no more."
  }

  assert {
    condition = alltrue(concat(
      [for grant in [google_project_iam_member.runner, google_storage_bucket_iam_member.runner] : grant.member == google_service_account.runner.member],
      [for grant in google_artifact_registry_repository_iam_member.runner : grant.member == google_service_account.runner.member],
    ))
    error_message = "The runner's rights are the runner's."
  }
}

run "others_get_only_what_they_are_named_for" {
  command = plan

  assert {
    condition     = [for grant in google_storage_bucket_iam_member.reader : "${grant.role} ${grant.member}"] == ["roles/storage.objectViewer serviceAccount:web-run@example-prod.iam.gserviceaccount.com"]
    error_message = "A reader reads."
  }

  assert {
    condition = [for grant in google_artifact_registry_repository_iam_member.publisher : "${grant.repository} ${grant.role} ${grant.member}"] == [
      "ml-images roles/artifactregistry.writer serviceAccount:ml-build@example-prod.iam.gserviceaccount.com",
      "ml-pipelines roles/artifactregistry.writer serviceAccount:ml-build@example-prod.iam.gserviceaccount.com",
    ]
    error_message = "A publisher writes to the two repositories; it cannot delete there, run a pipeline, or read artifacts."
  }
}

run "an_image_tag_never_moves" {
  command = plan

  assert {
    condition     = google_artifact_registry_repository.this["images"].docker_config[0].immutable_tags
    error_message = "What was tested is what runs."
  }
}
