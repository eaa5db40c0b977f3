locals {
  regions = toset([for subnet in var.subnets : subnet.region])
}

resource "google_compute_network" "this" {
  project = var.project_id
  name    = var.name

  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"
}

resource "google_compute_subnetwork" "this" {
  for_each = var.subnets

  project       = var.project_id
  name          = "${var.name}-${each.key}"
  region        = each.value.region
  network       = google_compute_network.this.id
  ip_cidr_range = each.value.ip_cidr_range

  # Machines without an external address still reach Google's own services.
  private_ip_google_access = true

  dynamic "secondary_ip_range" {
    for_each = each.value.secondary_ip_ranges

    content {
      range_name    = secondary_ip_range.key
      ip_cidr_range = secondary_ip_range.value
    }
  }

  dynamic "log_config" {
    for_each = each.value.flow_sampling > 0 ? [each.value.flow_sampling] : []

    content {
      aggregation_interval = "INTERVAL_5_SEC"
      flow_sampling        = log_config.value
      metadata             = "INCLUDE_ALL_METADATA"
    }
  }
}

resource "google_compute_router" "this" {
  for_each = local.regions

  project = var.project_id
  name    = "${var.name}-${each.key}"
  region  = each.key
  network = google_compute_network.this.id
}

# The only way out: nothing in this network needs an external address.
resource "google_compute_router_nat" "this" {
  for_each = local.regions

  project = var.project_id
  name    = "${var.name}-${each.key}"
  region  = each.key
  router  = google_compute_router.this[each.key].name

  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

# The same as the implied rule, but logged: what is turned away can be seen.
resource "google_compute_firewall" "deny_ingress" {
  project = var.project_id
  name    = "${var.name}-deny-ingress"
  network = google_compute_network.this.id

  direction     = "INGRESS"
  priority      = 65534
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_firewall" "allow_ingress" {
  for_each = var.ingress

  project = var.project_id
  name    = "${var.name}-allow-${each.key}"
  network = google_compute_network.this.id

  direction     = "INGRESS"
  priority      = 1000
  source_ranges = each.value.source_ranges

  target_service_accounts = each.value.target_service_accounts

  allow {
    protocol = each.value.protocol
    ports    = each.value.ports
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}
