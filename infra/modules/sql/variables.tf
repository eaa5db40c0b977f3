variable "project_id" {
  description = "The project that holds the instance."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Give the project's id (6 to 30 lower-case letters, digits and hyphens), not its number or display name."
  }
}

variable "name" {
  description = "The instance's name. After a deletion Google keeps it for a week."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,60}[a-z0-9])?$", var.name))
    error_message = "Use at most 62 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "Where the instance is."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Give a region such as europe-west1, not a zone."
  }
}

variable "network" {
  description = "The network that reaches it, as projects/PROJECT/global/networks/NAME; it needs private services access."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^projects/[^/]+/global/networks/[^/]+$", var.network))
    error_message = "Give the network's full name: projects/PROJECT/global/networks/NAME."
  }
}

variable "database_version" {
  description = "The version of PostgreSQL."
  type        = string
  default     = "POSTGRES_17"
  nullable    = false

  validation {
    condition     = can(regex("^POSTGRES_1[4-9]$", var.database_version))
    error_message = "Give POSTGRES_14 or newer."
  }
}

variable "edition" {
  description = "ENTERPRISE or ENTERPRISE_PLUS."
  type        = string
  default     = "ENTERPRISE"
  nullable    = false

  validation {
    condition     = contains(["ENTERPRISE", "ENTERPRISE_PLUS"], var.edition)
    error_message = "Give ENTERPRISE or ENTERPRISE_PLUS."
  }
}

variable "tier" {
  description = "The machine: db-custom-CPUS-MEGABYTES, or a name of ENTERPRISE_PLUS."
  type        = string
  default     = "db-custom-1-3840"
  nullable    = false

  validation {
    condition     = can(regex("^db-(custom-[0-9]+-[0-9]+|perf-optimized-N-[0-9]+|c4a-highmem-[0-9]+)$", var.tier))
    error_message = "Give a machine such as db-custom-2-7680; shared cores have no promise of availability."
  }
}

variable "high_availability" {
  description = "Whether a second zone stands by."
  type        = bool
  default     = true
  nullable    = false
}

variable "disk" {
  description = "The disk's size at first, and the size up to which it grows by itself, in GB; 0 is no limit."
  type = object({
    gigabytes = optional(number, 10)
    limit     = optional(number, 500)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.disk.gigabytes >= 10 && (var.disk.limit == 0 || var.disk.limit >= var.disk.gigabytes)
    error_message = "Give at least 10 GB, and a limit that is not below it."
  }
}

variable "backup" {
  description = "How many daily backups stay, when they are made (UTC), where they are (null: near the region), and for how many days any moment can be restored."
  type = object({
    keep     = optional(number, 30)
    start    = optional(string, "02:00")
    location = optional(string)
    log_days = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.backup.keep >= 7 && var.backup.keep <= 365
    error_message = "Keep 7 to 365 backups."
  }

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.backup.start))
    error_message = "Give a time such as 02:00."
  }

  validation {
    condition     = var.backup.log_days >= 1 && var.backup.log_days <= (var.edition == "ENTERPRISE_PLUS" ? 35 : 7)
    error_message = "Logs stay for 1 to 7 days, with ENTERPRISE_PLUS up to 35."
  }
}

variable "maintenance" {
  description = "When Google may restart it: the day (1 is Monday) and the hour (UTC)."
  type = object({
    day  = optional(number, 7)
    hour = optional(number, 3)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.maintenance.day >= 1 && var.maintenance.day <= 7 && var.maintenance.hour >= 0 && var.maintenance.hour <= 23
    error_message = "Give a day from 1 to 7 and an hour from 0 to 23."
  }
}

variable "databases" {
  description = "The databases."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.databases : can(regex("^[a-z_][a-z0-9_-]{0,62}$", name)) && !contains(["postgres", "template0", "template1", "cloudsqladmin"], name)])
    error_message = "Use at most 63 lower-case letters, digits, hyphens and underscores, and no name of PostgreSQL's own."
  }
}

variable "users" {
  description = "Who signs in, with IAM and without a password, by a name of your choice: IAM members. Their rights in the databases are granted there."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in var.users : can(regex("^(user|group|serviceAccount):[^@\\s]+@[^@\\s]+$", member))])
    error_message = "Write each as user:, group: or serviceAccount: with an address."
  }
}

variable "flags" {
  description = "Flags of PostgreSQL, beside the one for IAM."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.flags), "cloudsql.iam_authentication")
    error_message = "Signing in with IAM stays on: it is the only way that there is."
  }
}

variable "kms_key" {
  description = "The key that encrypts the disk (projects/…/cryptoKeys/NAME); null leaves it to Google. It cannot be changed later."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "Give the key's full name: projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY."
  }
}

variable "deletion_protection" {
  description = "Whether the instance is refused to be deleted, by Terraform and by Google."
  type        = bool
  default     = true
  nullable    = false
}

variable "labels" {
  description = "Labels of the instance."
  type        = map(string)
  default     = {}
  nullable    = false
}
