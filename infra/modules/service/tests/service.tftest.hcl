mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "web-run@example-dev.iam.gserviceaccount.com"
      member = "serviceAccount:web-run@example-dev.iam.gserviceaccount.com"
    }
  }
}

variables {
  project_id = "example-dev"
  region     = "europe-west1"
  name       = "web"
  image      = "europe-docker.pkg.dev/example/apps/web:1.4.0"
}

run "smallest" {
  command = plan

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].image == "europe-docker.pkg.dev/example/apps/web:1.4.0"
    error_message = "The image that was given runs."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].scaling[0].min_instance_count == 0 && google_cloud_run_v2_service.this.template[0].scaling[0].max_instance_count == 10
    error_message = "Without scaling the service goes from none to ten instances."
  }

  assert {
    condition     = length(google_cloud_run_v2_service.this.template[0].vpc_access) == 0
    error_message = "Without vpc the service sends straight to the internet."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].startup_probe[0].http_get[0].path == "/" && google_cloud_run_v2_service.this.template[0].containers[0].liveness_probe[0].http_get[0].path == "/"
    error_message = "The container has a startup and a liveness probe."
  }
}

run "everything" {
  command = plan

  variables {
    container       = { port = 9000, cpu = "2", memory = "1Gi", startup_path = "/ready", liveness_path = "/healthz" }
    env             = { MODE = "fast" }
    secrets         = { DB_PASSWORD = { secret = "db-password", version = "3" } }
    scaling         = { min = 1, max = 4 }
    concurrency     = 10
    timeout_seconds = 300
    vpc             = { network = "projects/example-dev/global/networks/dev", subnetwork = "projects/example-dev/regions/europe-west1/subnetworks/dev-main" }
    invokers        = { gateway = "serviceAccount:gateway@example-dev.iam.gserviceaccount.com" }
    labels          = { team = "web" }
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].ports[0].container_port == 9000
    error_message = "The port reaches the container."
  }

  assert {
    condition = tomap({
      for env in google_cloud_run_v2_service.this.template[0].containers[0].env :
      env.name => try(env.value_source[0].secret_key_ref[0].version, env.value)
    }) == tomap({ DB_PASSWORD = "3", MODE = "fast" })
    error_message = "Plain variables carry values; secrets carry a reference to one version."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].timeout == "300s"
    error_message = "The timeout is given in seconds."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].vpc_access[0].egress == "PRIVATE_RANGES_ONLY"
    error_message = "Only private ranges go through the network unless egress says otherwise."
  }
}

run "outputs_name_every_resource" {
  variables {
    deletion_protection = false
    secrets             = { DB_PASSWORD = { secret = "db-password", version = "3" } }
    invokers            = { gateway = "serviceAccount:gateway@example-dev.iam.gserviceaccount.com" }
  }

  assert {
    condition     = output.service.name == "web" && output.service.id == google_cloud_run_v2_service.this.id && output.service.uri == google_cloud_run_v2_service.this.uri
    error_message = "The service is an output."
  }

  assert {
    condition     = output.service_account.email == "web-run@example-dev.iam.gserviceaccount.com"
    error_message = "The account is an output."
  }

  assert {
    condition     = keys(output.secret_readers) == ["db-password"] && keys(output.invokers) == ["gateway"]
    error_message = "Each grant is an output."
  }
}
