mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "web-run@example-prod.iam.gserviceaccount.com"
      member = "serviceAccount:web-run@example-prod.iam.gserviceaccount.com"
      name   = "projects/example-prod/serviceAccounts/web-run@example-prod.iam.gserviceaccount.com"
    }
  }
}

variables {
  project_id = "example-prod"
  region     = "europe-west1"
  name       = "web"
  secrets    = ["db-password"]
  deployers  = { app = "serviceAccount:web-deploy@example-prod.iam.gserviceaccount.com" }
}

run "a_deployer_may_deploy_this_service_only" {
  command = plan

  assert {
    condition     = [for grant in google_cloud_run_v2_service_iam_member.deployer : "${grant.name} ${grant.role} ${grant.member}"] == ["web roles/run.developer serviceAccount:web-deploy@example-prod.iam.gserviceaccount.com"]
    error_message = "A deployer is given this one service: not the project, and not the right to change who may call."
  }
}

run "a_deployer_may_use_this_account_only" {
  assert {
    condition = (
      google_service_account_iam_member.deployer["app"].service_account_id == google_service_account.this.name
      && google_service_account_iam_member.deployer["app"].role == "roles/iam.serviceAccountUser"
    )
    error_message = "A deployer may run revisions as the service's own account and as no other."
  }

  variables {
    deletion_protection = false
  }
}

run "the_account_reads_its_own_secrets_only" {
  command = plan

  assert {
    condition     = [for grant in google_secret_manager_secret_iam_member.this : "${grant.secret_id} ${grant.role}"] == ["db-password roles/secretmanager.secretAccessor"]
    error_message = "The account may read exactly the secrets that are named."
  }
}

run "safe_by_default" {
  command = plan

  variables {
    deployers = {}
  }

  assert {
    condition     = google_cloud_run_v2_service.this.ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" && google_cloud_run_v2_service.this.deletion_protection
    error_message = "The service is not reached straight from the internet and cannot be deleted by accident."
  }

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.invoker) == 0 && length(google_cloud_run_v2_service_iam_member.deployer) == 0
    error_message = "Nobody may call or deploy unless named."
  }
}
