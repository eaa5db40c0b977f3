module "identity" {
  source = "../.."

  project_id = "example-infra"
  repository = { owner = "example", owner_id = "1001", name = "infrastructure", id = "2002" }
  trunk      = "trunk"

  workflows      = { plan = "plan-ENV.yml", drift = "drift-ENV.yml", attest = "attest.yml", apply = "apply.yml" }
  pool_id        = "github-actions"
  account_prefix = "tf"

  environments = {
    dev = {
      project_id  = "example-dev"
      apply_roles = ["roles/run.admin", "roles/iam.serviceAccountUser"]
    }
    prod = {
      project_id      = "example-prod"
      apply_roles     = ["roles/run.admin", "roles/iam.serviceAccountUser"]
      grantable_roles = ["roles/aiplatform.user"]
      read_roles      = ["roles/run.viewer", "roles/iam.securityReviewer"]
    }
  }
}
