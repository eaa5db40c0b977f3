output "state_bucket" {
  description = "The state bucket, for infra.yaml."
  value       = module.state.bucket.name
}

output "state_grants" {
  description = "Who may do what in which folder of the state bucket."
  value       = module.state.grants
}

output "bucket_grants" {
  description = "Who may do what in which folder of the other buckets of states, and in those that exist themselves."
  value       = { for name, state in module.buckets : name => { folders = state.grants, bucket = state.bucket_grants } }
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

output "repositories" {
  description = "What each further repository needs, by its folder in the bucket: the provider, the accounts, and its trunk."
  value = {
    for folder, identity in module.identities : folder => {
      workload_identity_provider = identity.provider
      accounts                   = identity.accounts
      attest_account             = identity.attest.email
      trunk                      = var.repositories[folder].trunk
    }
  }
}

output "project_roles" {
  description = "What each account may do in its environment's project."
  value       = module.identity.project_roles
}

output "services" {
  description = "The services that are on, by PROJECT/SERVICE."
  value       = sort([for service in google_project_service.this : service.id])
}
