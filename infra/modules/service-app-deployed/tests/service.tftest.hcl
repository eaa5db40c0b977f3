mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "web-run@example-dev.iam.gserviceaccount.com"
      member = "serviceAccount:web-run@example-dev.iam.gserviceaccount.com"
      name   = "projects/example-dev/serviceAccounts/web-run@example-dev.iam.gserviceaccount.com"
    }
  }
}

variables {
  project_id          = "example-dev"
  region              = "europe-west1"
  name                = "web"
  secrets             = ["db-password"]
  invokers            = { gateway = "serviceAccount:gateway@example-dev.iam.gserviceaccount.com" }
  deployers           = { app = "serviceAccount:web-deploy@example-dev.iam.gserviceaccount.com" }
  deletion_protection = false
}

run "first_apply" {
  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].image == "us-docker.pkg.dev/cloudrun/container/hello:latest"
    error_message = "A placeholder runs until the app's first deploy."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].service_account == google_service_account.this.email
    error_message = "The service runs as its own account, never as the default one."
  }
}

# Another image stands for any change of what the app's deploys own.
run "image_is_left_to_the_app" {
  variables {
    first_image = "europe-docker.pkg.dev/example/apps/web:2.0.0"
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].image == "us-docker.pkg.dev/cloudrun/container/hello:latest"
    error_message = "Terraform leaves the containers as they are."
  }
}

run "scaling_stays_with_terraform" {
  variables {
    scaling = { min = 1, max = 3 }
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].scaling[0].max_instance_count == 3
    error_message = "What the app's deploys do not own is still Terraform's."
  }
}

run "outputs_name_every_resource" {
  command = plan

  assert {
    condition     = keys(output.invokers) == ["gateway"] && keys(output.deployers) == ["app"] && keys(output.secret_readers) == ["db-password"]
    error_message = "Each grant is an output."
  }

  assert {
    condition     = output.service.name == "web" && output.service_account.email == "web-run@example-dev.iam.gserviceaccount.com"
    error_message = "The service and its account are outputs."
  }
}
