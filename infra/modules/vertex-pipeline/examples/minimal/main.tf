module "pipeline" {
  source = "../.."

  project_id = "example-dev"
  region     = "europe-west1"
  name       = "ml"
}
