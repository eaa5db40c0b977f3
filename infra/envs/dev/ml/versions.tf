terraform {
  required_version = ">= 1.11"

  # Bucket and prefix come from infra.yaml.
  backend "gcs" {}

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.42, < 8"
    }
  }
}

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = { environment = var.environment }
}
