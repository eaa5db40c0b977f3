module "network" {
  source = "../../../modules/network"

  project_id = var.project_id
  name       = var.environment

  subnets = {
    main = {
      region        = var.region
      ip_cidr_range = var.ip_cidr_range
      flow_sampling = var.flow_sampling
    }
  }
}
