terraform {
  required_providers {
    google = { source = "hashicorp/google" }
  }
}

provider "google" {
  project = "example-dev"
  region  = "europe-west1"
}

module "service" {
  source   = "./child"
  for_each = toset(["a", "b.c"])
  name     = each.value
  env      = { MODE = "fast", REGION = "eu" }
}
