variable "project_id" {
  description = "The project that runs the service."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Give the project's id (6 to 30 lower-case letters, digits and hyphens), not its number or display name."
  }
}

variable "region" {
  description = "The region that runs the service."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Give a region such as europe-west1, not a zone."
  }
}

variable "name" {
  description = "The service's name; its own account is NAME-run."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,24}[a-z0-9]$", var.name))
    error_message = "Use 2 to 26 lower-case letters, digits and hyphens, beginning with a letter, so that the account's name fits."
  }
}

variable "first_image" {
  description = "What runs until the app's first deploy; never looked at again."
  type        = string
  default     = "us-docker.pkg.dev/cloudrun/container/hello:latest"
  nullable    = false
}

variable "secrets" {
  description = "The short ids of the secrets that the app's deploys may refer to."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for secret in var.secrets : can(regex("^[A-Za-z0-9_-]{1,255}$", secret))])
    error_message = "Give each secret's short id, such as db-password, not its path or version."
  }
}

variable "scaling" {
  description = "How few and how many instances run."
  type = object({
    min = optional(number, 0)
    max = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.scaling.min >= 0 && var.scaling.max >= 1 && var.scaling.min <= var.scaling.max
    error_message = "min is 0 or more, max is 1 or more, and min is not above max."
  }
}

variable "concurrency" {
  description = "How many requests one instance answers at once."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.concurrency >= 1 && var.concurrency <= 1000
    error_message = "Cloud Run takes 1 to 1000."
  }
}

variable "timeout_seconds" {
  description = "How long one request may take, in seconds."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 3600
    error_message = "Cloud Run takes 1 to 3600 seconds."
  }
}

variable "vpc" {
  description = "The network and subnetwork that the service sends through; null sends straight to the internet."
  type = object({
    network    = string
    subnetwork = string
    egress     = optional(string, "PRIVATE_RANGES_ONLY")
  })
  default = null

  validation {
    condition     = var.vpc == null || try(contains(["PRIVATE_RANGES_ONLY", "ALL_TRAFFIC"], var.vpc.egress), false)
    error_message = "egress is PRIVATE_RANGES_ONLY or ALL_TRAFFIC."
  }
}

variable "ingress" {
  description = "Where requests may come from."
  type        = string
  default     = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  nullable    = false

  validation {
    condition     = contains(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_ONLY", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"], var.ingress)
    error_message = "Choose INGRESS_TRAFFIC_INTERNAL_ONLY, INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER or INGRESS_TRAFFIC_ALL."
  }
}

variable "invokers" {
  description = "Who may call the service: IAM members by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in values(var.invokers) : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):[^*]+$", member))])
    error_message = "Name each caller, such as serviceAccount:web@PROJECT.iam.gserviceaccount.com. Everybody (allUsers, allAuthenticatedUsers, *) is refused: put a load balancer with its own sign-in in front."
  }
}

variable "deployers" {
  description = "Who may deploy new revisions: IAM members by a name of your choice, such as the app repository's own account."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in values(var.deployers) : can(regex("^(user|group|serviceAccount|principal|principalSet):[^*]+$", member))])
    error_message = "Name each deployer, such as serviceAccount:web-deploy@PROJECT.iam.gserviceaccount.com; everybody is refused."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the service."
  type        = bool
  default     = true
  nullable    = false
}

variable "labels" {
  description = "Labels of the service."
  type        = map(string)
  default     = {}
  nullable    = false
}
