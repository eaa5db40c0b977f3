variable "project_id" {
  description = "The project whose metrics are watched."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Give the project's id (6 to 30 lower-case letters, digits and hyphens), not its number or display name."
  }
}

variable "name" {
  description = "What the alerts begin with: the team or the product."
  type        = string
  nullable    = false

  validation {
    condition     = length(trimspace(var.name)) > 0 && length(var.name) <= 60
    error_message = "Give a name of at most 60 characters."
  }
}

variable "emails" {
  description = "Who is told, by a name of your choice: e-mail addresses."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for address in var.emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "Give e-mail addresses."
  }

  validation {
    condition     = length(var.emails) + length(var.channels) > 0
    error_message = "Give at least one e-mail address or channel: an alert that reaches nobody is none."
  }
}

variable "channels" {
  description = "Who else is told: notification channels that exist (projects/PROJECT/notificationChannels/ID), such as one for a pager or a chat."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for channel in var.channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", channel))])
    error_message = "Give each channel as projects/PROJECT/notificationChannels/ID."
  }
}

variable "uptime" {
  description = "Addresses that must answer with 2xx over HTTPS, by name; contains is text that the answer must hold, runbook is Markdown that the alert shows."
  type = map(object({
    host            = string
    path            = optional(string, "/")
    contains        = optional(string)
    every_seconds   = optional(number, 60)
    timeout_seconds = optional(number, 10)
    for_seconds     = optional(number, 60)
    severity        = optional(string, "CRITICAL")
    runbook         = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for check in var.uptime : can(regex("^[a-z0-9.-]+$", check.host)) && startswith(check.path, "/")])
    error_message = "Give the host alone, without https://, and a path that begins with a slash."
  }

  validation {
    condition     = alltrue([for check in var.uptime : contains([60, 300, 600, 900], check.every_seconds) && check.timeout_seconds >= 1 && check.timeout_seconds <= 60])
    error_message = "Google checks every 60, 300, 600 or 900 seconds, and waits for 1 to 60."
  }

  validation {
    condition     = alltrue([for check in var.uptime : contains(["CRITICAL", "ERROR", "WARNING"], check.severity)])
    error_message = "A severity is CRITICAL, ERROR or WARNING."
  }
}

variable "error_rates" {
  description = "Cloud Run services whose share of 5xx answers is watched, by name; runbook is Markdown that the alert shows."
  type = map(object({
    service     = string
    percent     = optional(number, 5)
    for_seconds = optional(number, 300)
    severity    = optional(string, "ERROR")
    runbook     = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for rate in var.error_rates : rate.percent > 0 && rate.percent < 100])
    error_message = "Give a percentage above 0 and below 100."
  }

  validation {
    condition     = alltrue([for rate in var.error_rates : can(regex("^[a-z]([a-z0-9-]{0,47}[a-z0-9])?$", rate.service))])
    error_message = "Give the name of a Cloud Run service."
  }

  validation {
    condition     = alltrue([for rate in var.error_rates : contains(["CRITICAL", "ERROR", "WARNING"], rate.severity)])
    error_message = "A severity is CRITICAL, ERROR or WARNING."
  }
}

variable "labels" {
  description = "Labels of channels, checks and alerts."
  type        = map(string)
  default     = {}
  nullable    = false
}
