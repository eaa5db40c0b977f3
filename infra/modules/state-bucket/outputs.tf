output "bucket" {
  description = "The bucket: its name and its gs:// address."
  value = {
    name = local.bucket
    url  = "gs://${local.bucket}"
  }
}

output "policy_etag" {
  description = "The version of the bucket's own IAM policy; null for a bucket that is not created here."
  value       = one(google_storage_bucket_iam_policy.this[*].etag)
}

output "folders" {
  description = "The managed folders' ids, by folder."
  value       = { for folder in google_storage_managed_folder.this : folder.name => folder.id }
}

output "grants" {
  description = "Who may do what in which folder, by ENVIRONMENT/ACCOUNT/FOLDER."
  value = {
    for key, grant in google_storage_managed_folder_iam_member.this : key => {
      folder = grant.managed_folder
      role   = grant.role
      member = grant.member
    }
  }
}

output "bucket_grants" {
  description = "Who may do what in the bucket itself, where it is not created here, by ENVIRONMENT/ACCOUNT."
  value       = { for key, grant in google_storage_bucket_iam_member.this : key => { role = grant.role, member = grant.member } }
}
