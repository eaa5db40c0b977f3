variable "project_id" {
  description = "The project that holds the bucket: one in which no account of any environment has a role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Give the project's id (6 to 30 lower-case letters, digits and hyphens), not its number or display name."
  }
}

variable "create" {
  description = "Whether the bucket is created and managed here. Without that it exists, keeps its settings and its policy, and gets only the rights of the accounts; its access must be uniform."
  type        = bool
  default     = true
  nullable    = false
}

variable "name" {
  description = "The bucket's name, unique in all of Google Cloud."
  type        = string
  nullable    = false

  validation {
    condition     = !var.create || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name)) && !startswith(var.name, "goog") && !strcontains(var.name, "google")
    error_message = "Use 3 to 63 lower-case letters, digits and hyphens; Google keeps names with google in them for itself."
  }
}

variable "location" {
  description = "Where the bucket is: a region, or EU, US or ASIA for several."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([A-Z]+-[A-Z]+[0-9]+|EU|US|ASIA|EUR[0-9]+|NAM[0-9]+|ASIA[0-9]+)$", var.location))
    error_message = "Write it in capitals, as Google gives it back, such as EUROPE-WEST1 or EU."
  }
}

variable "admins" {
  description = "Who may do everything with the bucket: a small group of people, and whoever runs the bootstrap. Nobody else has a right on the bucket itself."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.admins) > 0
    error_message = "Name at least one, such as group:platform@example.com: the policy is authoritative, so without admins nobody could change the bucket any more."
  }

  validation {
    condition     = alltrue([for member in var.admins : can(regex("^(user|group|serviceAccount):[^*]+$", member))])
    error_message = "Name users, groups or service accounts; everybody, domains, pools and the project's viewers, editors and owners are refused."
  }
}

variable "environments" {
  description = "The three accounts of each environment, as IAM members, by the environment's name; and, where they are not below ENV/, the folders in this bucket that remember it (`memory`, each ending in the environment's name) and that hold its states (an empty name is the whole bucket)."
  type = map(object({
    plan   = string
    apply  = string
    drift  = string
    memory = optional(set(string))
    states = optional(set(string))
  }))
  nullable = false

  validation {
    condition     = alltrue([for environment in keys(var.environments) : can(regex("^[a-z][a-z0-9-]*$", environment)) && environment != "bootstrap"])
    error_message = "An environment is named as its folder below infra/envs, in lower-case letters, digits and hyphens; bootstrap is the folder that no environment may write."
  }

  validation {
    condition = alltrue(flatten([
      for accounts in var.environments : [for member in [accounts.plan, accounts.apply, accounts.drift] : can(regex("^serviceAccount:[^*]+$", member))]
    ]))
    error_message = "Give each account as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com."
  }

  validation {
    condition = length(var.environments) * 3 == length(distinct(flatten([
      for accounts in var.environments : [accounts.plan, accounts.apply, accounts.drift]
    ])))
    error_message = "Give each environment three accounts of its own: one that served for two of them would have the rights of both."
  }

  validation {
    condition = alltrue(flatten([
      for name, accounts in var.environments : [
        [for folder in coalesce(accounts.memory, []) : can(regex("^([A-Za-z0-9_][A-Za-z0-9._-]*/)*${name}$", folder))],
        [for folder in coalesce(accounts.states, []) : can(regex("^([A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*)?$", folder)) && split("/", folder)[0] != "bootstrap"],
      ]
    ]))
    error_message = "Give folders such as terraform/dev, without a slash at either end; those of the memory end in the environment's name, and bootstrap is the folder that no environment may write."
  }
}

variable "attest" {
  description = "The account that attests plans, of all environments alike, as an IAM member."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^serviceAccount:[^*]+$", var.attest)) && !contains(flatten([for accounts in var.environments : [accounts.plan, accounts.apply, accounts.drift]]), var.attest)
    error_message = "Give it as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com, and no account of an environment: one that plans could attest its own plans."
  }
}

variable "promotion_order" {
  description = "The environments in promotion order: plan and apply of each read whether the one before passed its checks. Without it the usual names have their usual order: dev, test, qa, staging, prod and the like."
  type        = list(string)
  default     = null

  validation {
    condition     = var.promotion_order == null || can([for name in var.promotion_order : var.environments[name]]) && try(length(var.promotion_order) == length(distinct(var.promotion_order)), false)
    error_message = "Name environments of this bucket, each once."
  }
}

variable "prefix" {
  description = "The repository's own folder in the bucket, where infra.yaml gives `memory.prefix` and the states have the same: all environments' folders are in it."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.prefix == "" || can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", var.prefix)) && var.prefix != "bootstrap"
    error_message = "Give a folder such as teams/shop: letters, digits, dots, underscores and hyphens between slashes."
  }
}

variable "repositories" {
  description = "Further repositories that share the bucket, by the folder of each in it (its `memory.prefix`, which its states have too): its accounts as IAM members, and its promotion order."
  type = map(object({
    attest = string
    environments = map(object({
      plan   = string
      apply  = string
      drift  = string
      memory = optional(set(string))
      states = optional(set(string))
    }))
    promotion_order = optional(list(string))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for folder in keys(var.repositories) : can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", folder)) && folder != var.prefix && split("/", folder)[0] != "bootstrap"])
    error_message = "Give each repository a folder of its own, such as teams/shop: letters, digits, dots, underscores and hyphens between slashes; bootstrap is taken."
  }

  validation {
    condition = length([
      for pair in setproduct(
        concat([for name in keys(var.environments) : var.prefix == "" ? "${name}/" : "${var.prefix}/${name}/"], flatten([for folder, repository in var.repositories : [for name in keys(repository.environments) : "${folder}/${name}/"]])),
        concat([for name in keys(var.environments) : var.prefix == "" ? "${name}/" : "${var.prefix}/${name}/"], flatten([for folder, repository in var.repositories : [for name in keys(repository.environments) : "${folder}/${name}/"]])),
      ) : pair if pair[0] != pair[1] && startswith(pair[0], pair[1])
    ]) == 0
    error_message = "The folder of one repository's environment is inside that of another: its accounts would reach both."
  }

  validation {
    condition     = alltrue(flatten([for repository in var.repositories : [for name in keys(repository.environments) : can(regex("^[a-z][a-z0-9-]*$", name))]]))
    error_message = "An environment is named as its folder below infra/envs, in lower-case letters, digits and hyphens."
  }

  validation {
    condition = alltrue(flatten([
      for repository in var.repositories : [for member in concat([repository.attest], flatten([for accounts in values(repository.environments) : [accounts.plan, accounts.apply, accounts.drift]])) : can(regex("^serviceAccount:[^*]+$", member))]
    ]))
    error_message = "Give each account as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com."
  }

  validation {
    condition = (
      length(concat([var.attest], flatten([for accounts in values(var.environments) : [accounts.plan, accounts.apply, accounts.drift]]), flatten([for repository in var.repositories : [repository.attest, [for accounts in values(repository.environments) : [accounts.plan, accounts.apply, accounts.drift]]]]))) ==
      length(distinct(concat([var.attest], flatten([for accounts in values(var.environments) : [accounts.plan, accounts.apply, accounts.drift]]), flatten([for repository in var.repositories : [repository.attest, [for accounts in values(repository.environments) : [accounts.plan, accounts.apply, accounts.drift]]]]))))
    )
    error_message = "Give each repository and each environment accounts of its own: one that served for two of them would have the rights of both."
  }

  validation {
    condition     = alltrue([for repository in var.repositories : repository.promotion_order == null || can([for name in repository.promotion_order : repository.environments[name]])])
    error_message = "Name environments of the repository in its promotion order."
  }
}

variable "noncurrent_versions" {
  description = "How many old versions of an object stay for ever, and for how many days the others stay."
  type = object({
    keep = optional(number, 50)
    days = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.noncurrent_versions.keep >= 10 && var.noncurrent_versions.days >= 30
    error_message = "Keep at least 10 versions and 30 days: old versions are how a broken state is restored."
  }
}

variable "soft_delete_days" {
  description = "For how many days a deleted object can be restored."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 90
    error_message = "Give 7 to 90 days."
  }
}

variable "plan_days" {
  description = "After how many days a kept plan and its attestation are deleted."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.plan_days >= 7
    error_message = "Give at least 7 days: a plan that is gone before its pull request is merged must be made and reviewed again."
  }
}

variable "kms_key" {
  description = "The key that encrypts the objects (projects/…/cryptoKeys/NAME); null leaves it to Google. The project's storage service agent needs roles/cloudkms.cryptoKeyEncrypterDecrypter on it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "Give the key's full name: projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY."
  }
}

variable "labels" {
  description = "Labels of the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
}
