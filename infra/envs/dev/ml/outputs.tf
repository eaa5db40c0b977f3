output "artifacts_url" {
  description = "Where the runs write."
  value       = module.pipeline.artifacts.url
}

output "repositories" {
  description = "Where images and compiled pipelines are published."
  value       = module.pipeline.repositories
}
