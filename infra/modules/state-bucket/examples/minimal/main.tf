module "state" {
  source = "../.."

  project_id = "example-infra"
  name       = "example-infra-state"
  location   = "EU"
  admins     = ["group:infra-admins@example.com"]
  attest     = "serviceAccount:infra-attest@example-infra.iam.gserviceaccount.com"

  environments = {
    dev = {
      plan  = "serviceAccount:infra-dev-plan@example-infra.iam.gserviceaccount.com"
      apply = "serviceAccount:infra-dev-apply@example-infra.iam.gserviceaccount.com"
      drift = "serviceAccount:infra-dev-drift@example-infra.iam.gserviceaccount.com"
    }
  }
}
