data "terraform_remote_state" "network" {
  backend = "gcs"

  config = {
    bucket = var.state_bucket
    prefix = "${var.environment}/state/network"
  }
}

module "service" {
  source = "../../../modules/service"

  project_id = var.project_id
  region     = var.region
  name       = "web"
  image      = var.image

  env                 = { ENVIRONMENT = var.environment }
  scaling             = var.scaling
  invokers            = var.invokers
  deletion_protection = var.deletion_protection

  vpc = {
    network    = data.terraform_remote_state.network.outputs.network_id
    subnetwork = data.terraform_remote_state.network.outputs.subnetwork_id
  }
}
