mock_provider "google" {}

variables {
  project_id = "example-prod"
  name       = "shop-api-key"
  readers    = { shop = "serviceAccount:shop@example.com" }
  writers    = { ops = "group:ops@example.com" }
}

run "it_is_hard_to_lose" {
  command = plan

  assert {
    condition     = google_secret_manager_secret.this.deletion_protection && google_secret_manager_secret.this.version_destroy_ttl == "604800s"
    error_message = "The secret is protected, and a destroyed value can be brought back for a week."
  }
}

run "who_writes_cannot_read" {
  command = plan

  assert {
    condition     = [for grant in google_secret_manager_secret_iam_member.reader : "${grant.member} ${grant.role}"] == ["serviceAccount:shop@example.com roles/secretmanager.secretAccessor"]
    error_message = "Only readers may read."
  }

  assert {
    condition     = [for grant in google_secret_manager_secret_iam_member.writer : "${grant.member} ${grant.role}"] == ["group:ops@example.com roles/secretmanager.secretVersionAdder"]
    error_message = "Who writes may add a value and no more."
  }
}
