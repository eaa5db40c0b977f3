output "service_name" {
  description = "The service's name."
  value       = module.service.service.name
}

output "service_account" {
  description = "The account that the service runs as, for the stacks that let it read something."
  value       = module.service.service_account.member
}
