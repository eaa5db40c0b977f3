output "pool" {
  description = "The pool's full name."
  value       = google_iam_workload_identity_pool.this.name
}

output "provider" {
  description = "The provider's full name, with the project's number: what google-github-actions/auth takes as workload_identity_provider."
  value       = google_iam_workload_identity_pool_provider.this.name
}

output "accounts" {
  description = "The e-mail addresses of the plan, apply and drift accounts, by environment."
  value = {
    for environment in keys(var.environments) : environment => {
      for use in ["plan", "apply", "drift"] : use => google_service_account.this["${environment}/${use}"].email
    }
  }
}

output "attest" {
  description = "The account that attests plans, of all environments alike: its e-mail address, and the IAM member that the state-bucket module takes."
  value = {
    email  = google_service_account.this["attest"].email
    member = google_service_account.this["attest"].member
  }
}

output "members" {
  description = "The same accounts as IAM members, as the state-bucket module takes them."
  value = {
    for environment in keys(var.environments) : environment => {
      for use in ["plan", "apply", "drift"] : use => google_service_account.this["${environment}/${use}"].member
    }
  }
}

output "github_bindings" {
  description = "Which jobs may act as which account, by ENVIRONMENT/ACCOUNT."
  value       = { for key, binding in google_service_account_iam_member.github : key => binding.member }
}

output "project_roles" {
  description = "What each account may do in its environment's project, by ENVIRONMENT/ACCOUNT."
  value = {
    for key in keys(local.accounts) : key => sort(concat(
      [for grant, role in local.roles : google_project_iam_member.role[grant].role if role.account == key],
      [for environment, grant in google_project_iam_member.grant : grant.role if key == "${environment}/apply"],
    )) if key != "attest"
  }
}
