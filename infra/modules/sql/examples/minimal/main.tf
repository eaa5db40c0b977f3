module "sql" {
  source = "../.."

  project_id = "example-dev"
  name       = "shop"
  region     = "europe-west1"
  network    = "projects/example-dev/global/networks/dev"
  databases  = ["shop"]
}
