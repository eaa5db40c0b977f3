module "network" {
  source = "../.."

  project_id = "example-prod"
  name       = "prod"

  subnets = {
    main = {
      region              = "europe-west1"
      ip_cidr_range       = "10.30.0.0/20"
      secondary_ip_ranges = { pods = "10.64.0.0/16", services = "10.65.0.0/20" }
      flow_sampling       = 1
    }
    backup = {
      region        = "europe-west4"
      ip_cidr_range = "10.30.16.0/20"
      flow_sampling = 0
    }
  }

  ingress = {
    internal      = { source_ranges = ["10.30.0.0/16"], ports = ["443"] }
    health-checks = { source_ranges = ["35.191.0.0/16", "130.211.0.0/22"], ports = ["8080"] }
  }
}
