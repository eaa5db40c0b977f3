module "service" {
  source = "../.."

  project_id = "example-dev"
  region     = "europe-west1"
  name       = "web"
  image      = "europe-docker.pkg.dev/example-infra/apps/web:1.4.0"
}
