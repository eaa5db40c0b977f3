variable "project_id" {
  description = "The project that holds the secret."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Give the project's id (6 to 30 lower-case letters, digits and hyphens), not its number or display name."
  }
}

variable "name" {
  description = "The secret's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,255}$", var.name))
    error_message = "Use at most 255 letters, digits, hyphens and underscores."
  }
}

variable "readers" {
  description = "Who may read the value, by a name of your choice: IAM members."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in var.readers : can(regex("^(user|group|serviceAccount|principal|principalSet):", member))])
    error_message = "Write an IAM member such as serviceAccount:web@example.iam.gserviceaccount.com; nobody else may read a secret."
  }
}

variable "writers" {
  description = "Who may add a new value, by a name of your choice: IAM members. They cannot read it."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in var.writers : can(regex("^(user|group|serviceAccount|principal|principalSet):", member))])
    error_message = "Write an IAM member such as group:ops@example.com; nobody else may write a secret."
  }
}

variable "locations" {
  description = "The regions that hold the value; none leaves it to Google."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for location in var.locations : can(regex("^[a-z]+-[a-z]+[0-9]+$", location))])
    error_message = "Give regions such as europe-west1, not zones."
  }
}

variable "kms_keys" {
  description = "Keys that encrypt the value, one for each of the locations, or one called global where there are none; null leaves it to Google."
  type        = map(string)
  default     = null

  validation {
    condition     = var.kms_keys == null || toset(keys(coalesce(var.kms_keys, {}))) == (length(var.locations) == 0 ? toset(["global"]) : var.locations)
    error_message = "Give exactly one key for each of the locations, or one called global where there are none."
  }
}

variable "rotation" {
  description = "When to remind of a new value: every so many days, first at a time (RFC 3339), by a message to a topic (projects/PROJECT/topics/TOPIC); null never does."
  type = object({
    days  = number
    first = string
    topic = string
  })
  default = null

  validation {
    condition     = var.rotation == null || try(var.rotation.days >= 1 && can(formatdate("YYYY", var.rotation.first)) && can(regex("^projects/[^/]+/topics/[^/]+$", var.rotation.topic)), false)
    error_message = "Give at least one day, a time such as 2027-01-01T04:00:00Z, and a topic as projects/PROJECT/topics/TOPIC."
  }
}

variable "version_destroy_days" {
  description = "For how many days a destroyed value can be brought back."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.version_destroy_days >= 1 && var.version_destroy_days <= 1000
    error_message = "Give 1 to 1000 days."
  }
}

variable "deletion_protection" {
  description = "Whether the secret is refused to be deleted."
  type        = bool
  default     = true
  nullable    = false
}

variable "labels" {
  description = "Labels of the secret."
  type        = map(string)
  default     = {}
  nullable    = false
}
