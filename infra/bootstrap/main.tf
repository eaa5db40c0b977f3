locals {
  services = merge(
    { for service in var.services : "${var.project_id}/${service}" => { project = var.project_id, service = service } },
    merge([
      for environment in var.environments : {
        for service in environment.services : "${environment.project_id}/${service}" => { project = environment.project_id, service = service }
      }
    ]...),
  )
}

resource "google_project_service" "this" {
  for_each = local.services

  project = each.value.project
  service = each.value.service

  # Taking this folder away must not stop what runs in the projects.
  disable_on_destroy = false
}

module "identity" {
  source = "../modules/github-identity"

  project_id = var.project_id
  repository = var.repository
  trunk      = var.trunk

  environments = {
    for name, environment in var.environments : name => {
      project_id      = environment.project_id
      apply_roles     = environment.apply_roles
      grantable_roles = environment.grantable_roles
    }
  }

  depends_on = [google_project_service.this]
}

module "state" {
  source = "../modules/state-bucket"

  project_id   = var.project_id
  name         = var.state_bucket
  location     = var.state_location
  admins       = var.admins
  environments = module.identity.members
  attest       = module.identity.attest.member

  promotion_order = var.promotion_order

  depends_on = [google_project_service.this]
}
