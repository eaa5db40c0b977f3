variable "project_id" {
  description = "The project's id, unique in all of Google Cloud; it cannot be changed later."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Give the project's id (6 to 30 lower-case letters, digits and hyphens), not its number or display name."
  }
}

variable "name" {
  description = "The project's display name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9 '!-]{4,30}$", var.name))
    error_message = "Use 4 to 30 letters, digits, spaces, hyphens, quotes and exclamation marks."
  }
}

variable "folder_id" {
  description = "The folder that the project is in: its number, or folders/NUMBER."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(folders/)?[0-9]+$", var.folder_id))
    error_message = "Give the folder's number, or folders/NUMBER; a project outside of a folder has no policy of its folder."
  }
}

variable "billing_account" {
  description = "The billing account that pays: 012345-567890-ABCDEF."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "Give the billing account's id, such as 012345-567890-ABCDEF."
  }
}

variable "budget" {
  description = "How much a month should cost at most, in the currency of the billing account, at which percentages of it somebody is told, and who: e-mail addresses by name. Without any, those who administer the billing account are told."
  type = object({
    amount   = number
    currency = string
    percents = optional(set(number), [50, 90, 100])
    emails   = optional(map(string), {})
  })
  nullable = false

  validation {
    condition     = var.budget.amount >= 1 && floor(var.budget.amount) == var.budget.amount && can(regex("^[A-Z]{3}$", var.budget.currency))
    error_message = "Give a whole amount of at least 1, and a currency such as EUR."
  }

  validation {
    condition     = length(var.budget.percents) > 0 && alltrue([for percent in var.budget.percents : percent > 0 && percent <= 1000])
    error_message = "Give at least one percentage, above 0 and up to 1000."
  }

  validation {
    condition     = length(var.budget.emails) <= 5 && alltrue([for address in var.budget.emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "Give at most five e-mail addresses: a budget tells no more."
  }
}

variable "services" {
  description = "The APIs that the project uses, beside those that this module needs."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for service in var.services : endswith(service, ".googleapis.com")])
    error_message = "Give full names, such as run.googleapis.com."
  }
}

variable "audited_services" {
  description = "The services whose reading and writing of data is logged; allServices is all of them. Data logs cost money."
  type        = set(string)
  default     = ["allServices"]
  nullable    = false

  validation {
    condition     = alltrue([for service in var.audited_services : service == "allServices" || endswith(service, ".googleapis.com")])
    error_message = "Give full names, such as storage.googleapis.com, or allServices."
  }
}

variable "labels" {
  description = "Labels of the project."
  type        = map(string)
  default     = {}
  nullable    = false
}
