variable "project_id" {
  description = "The project of the state bucket, the pool and the accounts; no environment lives in it."
  type        = string
  nullable    = false
}

variable "region" {
  description = "The provider's region."
  type        = string
  nullable    = false
}

variable "state_bucket" {
  description = "The name of the state bucket, as in infra.yaml."
  type        = string
  nullable    = false
}

variable "state_location" {
  description = "Where the state bucket is, in capitals."
  type        = string
  nullable    = false
}

variable "admins" {
  description = "Who may do everything with the state bucket; whoever applies this folder is one of them."
  type        = set(string)
  nullable    = false
}

variable "repository" {
  description = "The GitHub repository: gh api repos/OWNER/NAME --jq '.owner.id, .id' prints the ids."
  type = object({
    owner    = string
    owner_id = string
    name     = string
    id       = string
  })
  nullable = false
}

variable "trunk" {
  description = "The branch that everything merges to."
  type        = string
  default     = "main"
  nullable    = false
}

variable "promotion_order" {
  description = "The environments in promotion order, where infra.yaml has another one than dev, test, qa, staging, prod."
  type        = list(string)
  default     = null
}

variable "services" {
  description = "The services of the project of the bucket and the accounts."
  type        = set(string)
  default = [
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "serviceusage.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com",
  ]
  nullable = false
}

variable "environments" {
  description = "The environments: the project of each, its services, what its apply account may do there, and the roles that this account may grant to others there."
  type = map(object({
    project_id = string
    services = optional(set(string), [
      "aiplatform.googleapis.com",
      "artifactregistry.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "compute.googleapis.com",
      "iam.googleapis.com",
      "run.googleapis.com",
      "storage.googleapis.com",
    ])
    apply_roles = optional(set(string), [
      "roles/aiplatform.user",
      "roles/artifactregistry.admin",
      "roles/compute.networkAdmin",
      "roles/compute.securityAdmin",
      "roles/iam.serviceAccountAdmin",
      "roles/iam.serviceAccountUser",
      "roles/run.admin",
      "roles/storage.admin",
    ])
    grantable_roles = optional(set(string), ["roles/aiplatform.user"])
  }))
  nullable = false
}
