terraform {
  required_providers {
    google = { source = "hashicorp/google" }
  }
}

provider "google" {
  project = "example-dev"
  region  = "europe-west1"
}

resource "google_compute_firewall" "lists" {
  name          = "lists"
  network       = "default"
  source_ranges = ["10.0.0.0/8", "192.168.0.0/16"]
  allow {
    protocol = "tcp"
    ports    = ["80", "443"]
  }
}

resource "google_pubsub_topic" "new_name" {
  name = "moved"
}

moved {
  from = google_pubsub_topic.old_name
  to   = google_pubsub_topic.new_name
}

removed {
  from = google_pubsub_topic.forgotten
  lifecycle {
    destroy = false
  }
}

resource "google_service_account" "replaced" {
  account_id = "second"
}
