output "secret" {
  description = "The secret: its name, and its id for those that mount it."
  value = {
    name = google_secret_manager_secret.this.secret_id
    id   = google_secret_manager_secret.this.id
  }
}

output "readers" {
  description = "The grants to read, by the name given: their ids."
  value       = { for key, grant in google_secret_manager_secret_iam_member.reader : key => grant.id }
}

output "writers" {
  description = "The grants to add a value, by the name given: their ids."
  value       = { for key, grant in google_secret_manager_secret_iam_member.writer : key => grant.id }
}
