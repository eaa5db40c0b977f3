module "secret" {
  source = "../.."

  project_id = "example-dev"
  name       = "shop-api-key"
}
