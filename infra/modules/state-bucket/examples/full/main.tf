module "identity" {
  source = "../../../github-identity"

  project_id = "example-infra"
  repository = { owner = "example", owner_id = "1001", name = "infrastructure", id = "2002" }

  environments = {
    dev  = { project_id = "example-dev", apply_roles = ["roles/run.admin"] }
    prod = { project_id = "example-prod", apply_roles = ["roles/run.admin"] }
  }
}

module "state" {
  source = "../.."

  project_id   = "example-infra"
  name         = "example-infra-state"
  location     = "EUROPE-WEST1"
  admins       = ["group:infra-admins@example.com", "user:ada@example.com"]
  environments = module.identity.members
  attest       = module.identity.attest.member

  promotion_order     = ["dev", "prod"]
  noncurrent_versions = { keep = 100, days = 365 }
  soft_delete_days    = 90
  plan_days           = 30
  kms_key             = "projects/example-keys/locations/europe-west1/keyRings/infra/cryptoKeys/state"
  labels              = { team = "platform" }
}
