output "service" {
  description = "The service: id, name, location and address."
  value = {
    id       = google_cloud_run_v2_service.this.id
    name     = google_cloud_run_v2_service.this.name
    location = google_cloud_run_v2_service.this.location
    uri      = google_cloud_run_v2_service.this.uri
  }
}

output "service_account" {
  description = "The account that the service runs as: its e-mail and IAM member."
  value = {
    email  = google_service_account.this.email
    member = google_service_account.this.member
  }
}

output "secret_readers" {
  description = "The grants on secrets, by secret: their ids."
  value       = { for secret, grant in google_secret_manager_secret_iam_member.this : secret => grant.id }
}

output "invokers" {
  description = "The grants to call the service, by the name given: their ids."
  value       = { for key, grant in google_cloud_run_v2_service_iam_member.invoker : key => grant.id }
}

output "deployers" {
  description = "The grants to deploy, by the name given: the ids of the one on the service and of the one on its account."
  value = {
    for key, grant in google_cloud_run_v2_service_iam_member.deployer : key => {
      service = grant.id
      account = google_service_account_iam_member.deployer[key].id
    }
  }
}
