output "network_id" {
  description = "The network, for the stacks that place something in it."
  value       = module.network.network.id
}

output "subnetwork_id" {
  description = "The subnetwork, for the stacks that place something in it."
  value       = module.network.subnets["main"].id
}
