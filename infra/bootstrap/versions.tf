terraform {
  required_version = ">= 1.11"

  # The first apply keeps its state beside this file, since the bucket is not there yet; then the state moves into it.
  backend "gcs" {}

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.42, < 8"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
}
