module "network" {
  source = "../.."

  project_id = "example-dev"
  name       = "dev"

  subnets = {
    main = { region = "europe-west1", ip_cidr_range = "10.10.0.0/20" }
  }
}
