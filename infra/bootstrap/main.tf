locals {
  services = merge(
    { for service in var.services : "${var.project_id}/${service}" => { project = var.project_id, service = service } },
    merge([
      for environment in concat(values(var.environments), flatten([for repository in var.repositories : values(repository.environments)])) : {
        for service in environment.services : "${environment.project_id}/${service}" => { project = environment.project_id, service = service }
      }
    ]...),
  )

  # Buckets of states beside the bootstrap's own; and the folders of each environment in each bucket. One that is not in
  # `locations` is in ENV/ of the bootstrap's bucket.
  buckets = toset([for folder in flatten([for location in var.locations : [location.memory, location.states]]) : folder.bucket if folder.bucket != var.state_bucket])
  folders = {
    for bucket in setunion(local.buckets, [var.state_bucket]) : bucket => {
      for environment in keys(var.environments) : environment => {
        memory = contains(keys(var.locations), environment) ? [for folder in var.locations[environment].memory : folder.folder if folder.bucket == bucket] : bucket == var.state_bucket ? null : []
        states = contains(keys(var.locations), environment) ? [for folder in var.locations[environment].states : folder.folder if folder.bucket == bucket] : bucket == var.state_bucket ? null : []
      }
    }
  }
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

# Those of the other repositories that keep their states in the bucket, each with a pool of its own.
module "identities" {
  source   = "../modules/github-identity"
  for_each = var.repositories

  project_id     = var.project_id
  repository     = each.value.repository
  trunk          = each.value.trunk
  pool_id        = "github-${each.value.name}"
  account_prefix = each.value.name

  environments = {
    for name, environment in each.value.environments : name => {
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
  environments = { for name, accounts in module.identity.members : name => merge(accounts, local.folders[var.state_bucket][name]) }
  attest       = module.identity.attest.member

  prefix          = var.memory_prefix
  promotion_order = var.promotion_order

  repositories = {
    for folder, repository in var.repositories : folder => {
      attest          = module.identities[folder].attest.member
      environments    = module.identities[folder].members
      promotion_order = repository.promotion_order
    }
  }

  depends_on = [google_project_service.this]
}

# The buckets of states that are not the bootstrap's own.
module "buckets" {
  source   = "../modules/state-bucket"
  for_each = local.buckets

  create       = !contains(var.existing_buckets, each.key)
  project_id   = var.project_id
  name         = each.key
  location     = var.state_location
  admins       = var.admins
  environments = { for name, accounts in module.identity.members : name => merge(accounts, local.folders[each.key][name]) }
  attest       = module.identity.attest.member

  promotion_order = var.promotion_order

  depends_on = [google_project_service.this]
}
