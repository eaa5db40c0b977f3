output "service_name" {
  description = "The service's name."
  value       = module.service.service.name
}

output "service_uri" {
  description = "The service's address."
  value       = module.service.service.uri
}
