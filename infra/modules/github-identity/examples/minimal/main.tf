module "identity" {
  source = "../.."

  project_id = "example-infra"
  repository = { owner = "example", owner_id = "1001", name = "infrastructure", id = "2002" }

  environments = {
    dev = { project_id = "example-dev", apply_roles = ["roles/run.admin"] }
  }
}
