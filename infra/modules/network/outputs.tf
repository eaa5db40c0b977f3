output "network" {
  description = "The network: id, name and self link."
  value = {
    id        = google_compute_network.this.id
    name      = google_compute_network.this.name
    self_link = google_compute_network.this.self_link
  }
}

output "subnets" {
  description = "The subnetworks by name: id, name, region and primary range."
  value = {
    for key, subnet in google_compute_subnetwork.this : key => {
      id            = subnet.id
      name          = subnet.name
      region        = subnet.region
      ip_cidr_range = subnet.ip_cidr_range
    }
  }
}

output "routers" {
  description = "The routers' ids by region."
  value       = { for region, router in google_compute_router.this : region => router.id }
}

output "nats" {
  description = "The NAT gateways' ids by region."
  value       = { for region, nat in google_compute_router_nat.this : region => nat.id }
}

output "firewall_rules" {
  description = "The firewall rules' ids: deny_ingress, and one for each rule of ingress."
  value = merge(
    { deny_ingress = google_compute_firewall.deny_ingress.id },
    { for key, rule in google_compute_firewall.allow_ingress : key => rule.id },
  )
}
