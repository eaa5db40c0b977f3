# One of each type that the rules file describes.

resource "google_project_service" "run" {
  service = "run.googleapis.com"
}

resource "google_storage_bucket" "state" {
  name                        = "demo-dev-state"
  location                    = "europe-west1"
  force_destroy               = true # versions of the note outlive it
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = { team = "platform" }

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions         = 50
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
  }

  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "NEARLINE"
    }
    condition {
      age            = 90
      matches_prefix = ["old/"]
    }
  }

  cors {
    origin          = ["https://example.com"]
    method          = ["GET"]
    max_age_seconds = 3600
  }
}

resource "google_storage_bucket" "plain" {
  name          = "demo-dev-plain"
  location      = "EU"
  force_destroy = true
}

resource "google_storage_bucket_object" "note" {
  bucket  = google_storage_bucket.state.name
  name    = "notes/hello.txt"
  content = "hello"
}

resource "google_storage_managed_folder" "dev" {
  bucket = google_storage_bucket.state.name
  name   = "dev/"
}

resource "google_storage_managed_folder_iam_member" "dev" {
  bucket         = google_storage_bucket.state.name
  managed_folder = google_storage_managed_folder.dev.name
  role           = "roles/storage.objectUser"
  member         = google_service_account.runner.member
}

resource "google_storage_bucket_iam_member" "viewer" {
  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.runner.member
}

resource "google_storage_bucket_iam_member" "conditional" {
  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.runner.member

  condition {
    title       = "until then"
    description = "not for ever"
    expression  = "request.time < timestamp(\"2030-01-01T00:00:00Z\")"
  }
}

resource "google_storage_bucket_iam_binding" "admins" {
  bucket  = google_storage_bucket.state.name
  role    = "roles/storage.admin"
  members = ["user:ada@example.com", "group:ops@example.com"]
}

data "google_iam_policy" "plain" {
  binding {
    role    = "roles/storage.admin"
    members = ["user:zoe@example.com", "user:ada@example.com"]
  }
  binding {
    role    = "roles/storage.objectViewer"
    members = [google_service_account.runner.member]
  }
}

resource "google_storage_bucket_iam_policy" "plain" {
  bucket      = google_storage_bucket.plain.name
  policy_data = data.google_iam_policy.plain.policy_data
}

resource "google_service_account" "runner" {
  account_id   = "runner"
  display_name = "Runs the service"
}

resource "google_service_account_iam_member" "impersonate" {
  service_account_id = google_service_account.runner.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github.name}/attribute.infra/plan"
}

resource "google_project_iam_member" "runner" {
  project = "demo-dev"
  role    = "roles/run.invoker"
  member  = google_service_account.runner.member
}

resource "google_iam_workload_identity_pool" "github" {
  workload_identity_pool_id = "github"
}

resource "google_iam_workload_identity_pool_provider" "github" {
  workload_identity_pool_id          = google_iam_workload_identity_pool.github.workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  attribute_mapping                  = { "google.subject" = "assertion.sub" }
  attribute_condition                = "assertion.repository_id == \"1\""

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_compute_network" "main" {
  name                    = "main"
  description             = "The environment's network"
  auto_create_subnetworks = false

  timeouts {
    create = "5m"
  }
}

resource "google_compute_subnetwork" "main" {
  name                     = "main"
  network                  = google_compute_network.main.id
  ip_cidr_range            = "10.0.0.0/20"
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.1.0.0/16"
  }

  log_config {
    flow_sampling = 0.1
  }
}

resource "google_compute_router" "main" {
  name    = "main"
  network = google_compute_network.main.id

  bgp {
    asn = 64514
  }
}

resource "google_compute_router_nat" "main" {
  name                               = "main"
  router                             = google_compute_router.main.name
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.nat.self_link]
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"

  subnetwork {
    name                    = google_compute_subnetwork.main.id
    source_ip_ranges_to_nat = ["ALL_IP_RANGES"]
  }

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

resource "google_compute_firewall" "iap" {
  name          = "allow-iap"
  network       = google_compute_network.main.name
  source_ranges = ["35.235.240.0/20"]

  allow {
    protocol = "tcp"
    ports    = ["22", "443"]
  }
  allow {
    protocol = "icmp"
  }
}

resource "google_compute_address" "nat" {
  name   = "nat"
  labels = { use = "nat" }
}

resource "google_compute_global_address" "peering" {
  name          = "peering"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 16
  network       = google_compute_network.main.id
}

resource "google_vpc_access_connector" "main" {
  name          = "main"
  ip_cidr_range = "10.8.0.0/28"
  network       = google_compute_network.main.name
}

resource "google_cloud_run_v2_service" "api" {
  name                = "api"
  location            = "europe-west1"
  deletion_protection = false
  labels              = { app = "api" }
  annotations         = { note = "hand made" }

  template {
    service_account = google_service_account.runner.email

    scaling {
      min_instance_count = 0
      max_instance_count = 3
    }

    containers {
      image = "europe-west1-docker.pkg.dev/demo-dev/main/api:1"

      resources {
        limits   = { cpu = "1", memory = "512Mi" }
        cpu_idle = true
      }

      ports {
        container_port = 8080
      }

      env {
        name  = "MODE"
        value = "test"
      }
      env {
        name = "PASSWORD"
        value_source {
          secret_key_ref {
            secret  = google_secret_manager_secret.password.secret_id
            version = "latest"
          }
        }
      }

      startup_probe {
        http_get {
          path = "/health"
        }
      }
    }

    vpc_access {
      network_interfaces {
        network    = google_compute_network.main.name
        subnetwork = google_compute_subnetwork.main.name
      }
    }
  }
}

resource "google_cloud_run_v2_service_iam_member" "public" {
  name     = google_cloud_run_v2_service.api.name
  location = google_cloud_run_v2_service.api.location
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_job" "batch" {
  name                = "batch"
  location            = "europe-west1"
  deletion_protection = false

  template {
    template {
      containers {
        image = "europe-west1-docker.pkg.dev/demo-dev/main/batch:1"
      }
    }
  }
}

resource "google_secret_manager_secret" "password" {
  secret_id = "password"

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "password" {
  secret      = google_secret_manager_secret.password.id
  secret_data = "hunter2-hunter2"
}

resource "google_secret_manager_secret_iam_member" "runner" {
  secret_id = google_secret_manager_secret.password.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.runner.member
}

resource "google_artifact_registry_repository" "main" {
  repository_id = "main"
  location      = "europe-west1"
  format        = "DOCKER"

  cleanup_policies {
    id     = "keep"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "reader" {
  repository = google_artifact_registry_repository.main.name
  location   = google_artifact_registry_repository.main.location
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.runner.member
}

resource "google_colab_schedule" "pipeline" {
  display_name             = "nightly"
  location                 = "europe-west1"
  cron                     = "0 3 * * *"
  max_concurrent_run_count = 1

  create_pipeline_job_request {
    pipeline_job {
      display_name    = "nightly"
      template_uri    = "https://europe-west1-kfp.pkg.dev/demo-dev/pipelines/train/v1"
      service_account = google_service_account.runner.email

      runtime_config {
        gcs_output_directory = "${google_storage_bucket.plain.url}/runs"
        parameter_values     = { epochs = "3" }
      }
    }
  }
}

resource "google_kms_key_ring" "main" {
  name     = "main"
  location = "europe-west1"
}

resource "google_kms_crypto_key" "state" {
  name            = "state"
  key_ring        = google_kms_key_ring.main.id
  rotation_period = "7776000s"
}

resource "google_kms_crypto_key_iam_member" "runner" {
  crypto_key_id = google_kms_crypto_key.state.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = google_service_account.runner.member
}

resource "google_cloud_scheduler_job" "tick" {
  name     = "tick"
  schedule = "*/5 * * * *"

  http_target {
    uri = google_cloud_run_v2_service.api.uri

    oidc_token {
      service_account_email = google_service_account.runner.email
    }
  }

  retry_config {
    retry_count = 2
  }
}

resource "google_pubsub_topic" "events" {
  name = "events"
}

resource "google_pubsub_topic_iam_member" "runner" {
  topic  = google_pubsub_topic.events.name
  role   = "roles/pubsub.publisher"
  member = google_service_account.runner.member
}

resource "google_pubsub_subscription" "events" {
  name  = "events"
  topic = google_pubsub_topic.events.id

  retry_policy {
    minimum_backoff = "10s"
  }
}

resource "google_sql_database_instance" "main" {
  name                = "main"
  database_version    = "POSTGRES_17"
  deletion_protection = false

  settings {
    tier = "db-f1-micro"

    ip_configuration {
      ipv4_enabled = false
    }

    backup_configuration {
      enabled = true
    }
  }
}

resource "google_sql_database" "app" {
  name     = "app"
  instance = google_sql_database_instance.main.name
}

resource "google_dns_record_set" "api" {
  managed_zone = "example"
  name         = "api.example.com."
  type         = "A"
  rrdatas      = ["192.0.2.1"]
}

# Types that no rule describes.

resource "google_monitoring_dashboard" "main" {
  dashboard_json = jsonencode({ displayName = "main" })
}

resource "google_bigquery_dataset" "main" {
  dataset_id = "main"
  location   = "EU"
}

resource "google_bigquery_table" "events" {
  dataset_id          = google_bigquery_dataset.main.dataset_id
  table_id            = "events"
  deletion_protection = false
}

resource "google_container_cluster" "main" {
  name                = "main"
  location            = "europe-west1"
  initial_node_count  = 1
  deletion_protection = false
}

data "google_project" "here" {}

data "google_service_account" "runner" {
  account_id = google_service_account.runner.account_id
}

output "project_number" {
  value = data.google_project.here.number
}

output "runner" {
  value = data.google_service_account.runner.unique_id == google_service_account.runner.unique_id
}

output "api" {
  value = google_cloud_run_v2_service.api.uri
}
