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

variable "memory_prefix" {
  description = "The repository's own folder in the bucket: `memory.prefix` of infra.yaml, and what `backend.gcs.prefix` begins with. Empty when the bucket is this repository's alone."
  type        = string
  default     = ""
  nullable    = false
}

variable "locations" {
  description = "Where each environment is remembered and where its states are, if not in ENV/ of the state bucket: a bucket, and a folder in it (an empty name is the whole bucket). `infra bootstrap` writes it to locations.auto.tfvars.json, as infra.yaml and the code say it."
  type = map(object({
    memory = list(object({ bucket = string, folder = string }))
    states = list(object({ bucket = string, folder = string }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for location in var.locations : [for folder in concat(location.memory, location.states) : folder.folder != "" || folder.bucket != var.state_bucket]]))
    error_message = "An account that reaches the whole state bucket reaches the state of the bootstrap: give the bootstrap a bucket of its own."
  }
}

variable "existing_buckets" {
  description = "The buckets in `locations` that exist: they keep their settings and their policy, and get only the rights of the accounts. The others are created. `infra bootstrap` writes it, too."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "repositories" {
  description = "Further repositories that share the state bucket, by the folder of each in it: `memory.prefix` of its infra.yaml, and what its `backend.gcs.prefix` begins with. The names of its accounts and of its identity pool begin with `name`."
  type = map(object({
    name = string
    repository = object({
      owner    = string
      owner_id = string
      name     = string
      id       = string
    })
    trunk           = optional(string, "main")
    promotion_order = optional(list(string))
    environments = map(object({
      project_id      = string
      services        = optional(set(string), [])
      apply_roles     = set(string)
      grantable_roles = optional(set(string), [])
    }))
  }))
  default  = {}
  nullable = false
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
