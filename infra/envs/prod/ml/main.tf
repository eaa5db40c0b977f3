data "terraform_remote_state" "service" {
  backend = "gcs"

  config = {
    bucket = var.state_bucket
    prefix = "${var.environment}/state/service"
  }
}

module "pipeline" {
  source = "../../../modules/vertex-pipeline"

  project_id = var.project_id
  region     = var.region
  name       = "ml"
  schedules  = var.schedules

  # The service loads the models that the pipelines train.
  readers = {
    service = data.terraform_remote_state.service.outputs.service_account
  }
}
