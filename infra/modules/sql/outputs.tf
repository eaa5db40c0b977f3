output "instance" {
  description = "The instance: its name, its name for the connector, and its private address."
  value = {
    name            = google_sql_database_instance.this.name
    connection_name = google_sql_database_instance.this.connection_name
    address         = google_sql_database_instance.this.private_ip_address
  }
}

output "databases" {
  description = "The databases' ids, by name."
  value       = { for name, database in google_sql_database.this : name => database.id }
}

output "users" {
  description = "The names that users sign in with, by the name given."
  value       = { for key, user in google_sql_user.this : key => user.name }
}

output "grants" {
  description = "What users may do with the instance: the grants' ids, by NAME/ROLE."
  value       = { for key, grant in google_project_iam_member.client : key => grant.id }
}
