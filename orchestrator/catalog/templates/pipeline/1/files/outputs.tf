output "registry" {
  description = "The repository of compiled pipelines, for deploys."
  value       = module.pipeline.repositories.pipelines
}

output "images" {
  description = "The repository of container images."
  value       = module.pipeline.repositories.images
}

output "artifacts" {
  description = "The bucket that the runs write to, as a gs:// address."
  value       = module.pipeline.artifacts.url
}

output "runner" {
  description = "The account that the runs act as."
  value       = module.pipeline.runner.email
}
