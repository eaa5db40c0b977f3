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

variable "image" {
  description = "The container image, by digest or by a tag that does not move."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9_.-]*)$", var.image)) && !endswith(var.image, ":latest")
    error_message = "Name the image by digest (IMAGE@sha256:…) or by a fixed tag: with :latest or no tag, a plan cannot tell what will run."
  }
}

variable "container" {
  description = "The container's port, limits and the paths that its probes ask."
  type = object({
    port          = optional(number, 8080)
    cpu           = optional(string, "1")
    memory        = optional(string, "512Mi")
    startup_path  = optional(string, "/")
    liveness_path = optional(string, "/")
  })
  default  = {}
  nullable = false

  validation {
    condition     = startswith(var.container.startup_path, "/") && startswith(var.container.liveness_path, "/")
    error_message = "Probe paths begin with a slash, such as /healthz."
  }

  validation {
    condition     = can(regex("^[0-9]+(Mi|Gi)$", var.container.memory))
    error_message = "Write memory with its unit, such as 512Mi or 2Gi."
  }
}

variable "env" {
  description = "Environment variables that are no secret."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.env) : !can(regex("(?i)(^|_)(password|passwd|secret|token|private_key|api_key|access_key|auth_key|credentials?)(_|$)", name))])
    error_message = "Values of env are readable in the plan and the state: keep this one in Secret Manager and name it in secrets."
  }
}

variable "secrets" {
  description = "Environment variables from Secret Manager, by name: the secret's short id and the version to read."
  type = map(object({
    secret  = string
    version = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for secret in var.secrets : can(regex("^[A-Za-z0-9_-]{1,255}$", secret.secret)) && can(regex("^[1-9][0-9]*$", secret.version))])
    error_message = "Give the secret's short id and a version number, not latest: a new version is then a change that is planned and reviewed."
  }

  validation {
    condition     = length(setintersection(keys(var.secrets), keys(var.env))) == 0
    error_message = "A name stands in both env and secrets: keep it in one of them."
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
