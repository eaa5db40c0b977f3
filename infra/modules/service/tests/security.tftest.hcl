mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "web-run@example-prod.iam.gserviceaccount.com"
      member = "serviceAccount:web-run@example-prod.iam.gserviceaccount.com"
    }
  }
}

variables {
  project_id = "example-prod"
  region     = "europe-west1"
  name       = "web"
  image      = "europe-docker.pkg.dev/example/apps/web:1.4.0"
  secrets = {
    DB_PASSWORD = { secret = "db-password", version = "3" }
    DB_USER     = { secret = "db-user", version = "1" }
    DB_READER   = { secret = "db-password", version = "2" }
  }
  invokers = { gateway = "serviceAccount:gateway@example-prod.iam.gserviceaccount.com" }
}

run "runs_as_its_own_account" {
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].service_account == google_service_account.this.email
    error_message = "The service runs as its own account, never as the default one."
  }
}

run "reads_its_own_secrets_only" {
  assert {
    condition     = keys(google_secret_manager_secret_iam_member.this) == ["db-password", "db-user"]
    error_message = "The account may read exactly the secrets that the service names, each once."
  }

  assert {
    condition = alltrue([
      for grant in google_secret_manager_secret_iam_member.this :
      grant.role == "roles/secretmanager.secretAccessor" && grant.member == google_service_account.this.member
    ])
    error_message = "It may read them and no more, and nobody else is given the right."
  }
}

run "only_the_named_may_call" {
  command = plan

  assert {
    condition     = [for grant in google_cloud_run_v2_service_iam_member.invoker : "${grant.role} ${grant.member}"] == ["roles/run.invoker serviceAccount:gateway@example-prod.iam.gserviceaccount.com"]
    error_message = "Only the callers that were named may call, and they may do nothing else."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.invoker_iam_disabled != true
    error_message = "Cloud Run asks IAM for each call."
  }
}

run "safe_by_default" {
  command = plan

  variables {
    invokers = {}
  }

  assert {
    condition     = google_cloud_run_v2_service.this.ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
    error_message = "The service is not reached straight from the internet."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.deletion_protection
    error_message = "The service cannot be deleted by accident."
  }

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.invoker) == 0
    error_message = "Nobody may call unless named."
  }
}
