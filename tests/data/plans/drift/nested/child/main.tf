terraform {
  required_providers {
    google = { source = "hashicorp/google" }
  }
}

variable "name" {
  type = string
}

variable "env" {
  type = map(string)
}

resource "google_cloud_run_v2_service" "this" {
  name     = "svc-${replace(var.name, ".", "-")}"
  location = "europe-west1"

  template {
    max_instance_request_concurrency = 10
    containers {
      image = "example/app:1"
      dynamic "env" {
        for_each = var.env
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [template[0].containers[0].image, client]
  }
}
