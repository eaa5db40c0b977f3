module "project" {
  source = "../.."

  project_id      = "example-shop-dev"
  name            = "Shop dev"
  folder_id       = "folders/1001"
  billing_account = "012345-567890-ABCDEF"
  budget          = { amount = 200, currency = "EUR" }
}
