output "state_bucket" {
  description = "The state bucket, for infra.yaml."
  value       = module.state.bucket.name
}

output "state_grants" {
  description = "Who may do what in which folder of the state bucket."
  value       = module.state.grants
}

output "workload_identity_provider" {
  description = "What google-github-actions/auth takes as workload_identity_provider."
  value       = module.identity.provider
}

output "accounts" {
  description = "The plan, apply and drift accounts by environment, for google-github-actions/auth."
  value       = module.identity.accounts
}

output "attest_account" {
  description = "The account that attests plans, of all environments alike."
  value       = module.identity.attest.email
}

output "project_roles" {
  description = "What each account may do in its environment's project."
  value       = module.identity.project_roles
}

output "services" {
  description = "The services that are on, by PROJECT/SERVICE."
  value       = sort([for service in google_project_service.this : service.id])
}
