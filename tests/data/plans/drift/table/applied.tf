terraform {
  required_providers {
    google = { source = "hashicorp/google" }
  }
}

provider "google" {
  project = "example-dev"
  region  = "europe-west1"
}

resource "google_pubsub_topic" "reverted" {
  name                       = "reverted"
  message_retention_duration = "600s"
  labels                     = { team = "a" }
}

resource "google_pubsub_topic" "codified" {
  name                       = "codified"
  message_retention_duration = "600s"
}

resource "google_pubsub_topic" "conflict" {
  name                       = "conflict"
  message_retention_duration = "600s"
}

resource "google_pubsub_topic" "owed" {
  name                       = "owed"
  message_retention_duration = "600s"
}

resource "google_pubsub_topic" "ignored" {
  name                       = "ignored"
  message_retention_duration = "600s"
  lifecycle {
    ignore_changes = [
      message_retention_duration, # the owners set it
    ]
  }
}

resource "google_pubsub_topic" "all_ignored" {
  name                       = "all-ignored"
  message_retention_duration = "600s"
  lifecycle {
    ignore_changes = all
  }
}

resource "google_pubsub_topic" "noise" {
  name = "noise"
}

resource "google_pubsub_topic" "gone" {
  name = "gone"
}

resource "google_pubsub_topic" "gone_from_code_too" {
  name = "gone-from-code-too"
}

resource "google_compute_network" "unmanaged" {
  name                    = "unmanaged"
  auto_create_subnetworks = false
}

resource "google_colab_schedule" "by_itself" {
  display_name             = "by-itself"
  location                 = "europe-west1"
  cron                     = "0 3 * * *"
  max_concurrent_run_count = 1
}

resource "google_secret_manager_secret_version" "secret" {
  secret      = "projects/p/secrets/s"
  secret_data = "before"
}

