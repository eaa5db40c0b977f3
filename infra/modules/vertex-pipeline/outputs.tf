output "artifacts" {
  description = "The bucket that the runs write to: its name and its gs:// address."
  value = {
    name = google_storage_bucket.artifacts.name
    url  = google_storage_bucket.artifacts.url
  }
}

output "repositories" {
  description = "The addresses of the repositories of images and of compiled pipelines, for docker and kfp."
  value = {
    images    = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.this["images"].repository_id}"
    pipelines = "https://${var.region}-kfp.pkg.dev/${var.project_id}/${google_artifact_registry_repository.this["pipelines"].repository_id}"
  }
}

output "runner" {
  description = "The account that the pipelines run as: its e-mail and IAM member."
  value = {
    email  = google_service_account.runner.email
    member = google_service_account.runner.member
  }
}

output "runner_grants" {
  description = "What the runner may do: the grants' ids, on the project, the bucket and each repository."
  value = merge(
    { for index, grant in google_service_account_iam_member.runner : "itself" => grant.id },
    { project = google_project_iam_member.runner.id, artifacts = google_storage_bucket_iam_member.runner.id },
    { for key, grant in google_artifact_registry_repository_iam_member.runner : key => grant.id },
  )
}

output "readers" {
  description = "The grants to read artifacts, by the name given: their ids."
  value       = { for key, grant in google_storage_bucket_iam_member.reader : key => grant.id }
}

output "publishers" {
  description = "The grants to publish, by REPOSITORY/NAME: their ids."
  value       = { for key, grant in google_artifact_registry_repository_iam_member.publisher : key => grant.id }
}

output "schedules" {
  description = "The schedules' ids, by the name given."
  value = merge(
    { for key, schedule in google_colab_schedule.this : key => schedule.id },
    { for key, job in google_cloud_scheduler_job.this : key => job.id },
  )
}

output "alert" {
  description = "The alert for failed runs: its id; null without channels."
  value       = one(google_monitoring_alert_policy.failed[*].id)
}
