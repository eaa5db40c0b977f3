variable "project_id" {
  description = "The project that runs the pipelines."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Give the project's id (6 to 30 lower-case letters, digits and hyphens), not its number or display name."
  }
}

variable "region" {
  description = "The region of the pipelines, their artifacts and their images."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Give a region such as europe-west1, not a zone."
  }
}

variable "name" {
  description = "What the bucket, repositories, account and schedules are named after."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,20}[a-z0-9]$", var.name))
    error_message = "Use 2 to 22 lower-case letters, digits and hyphens, beginning with a letter, so that the names built from it fit."
  }
}

variable "schedules" {
  description = "Pipelines that run by the clock, by name: when (cron, with a TZ= prefix for another zone than UTC), which compiled pipeline by its digest, and its parameters. The clock is Vertex AI's, or with clock = \"scheduler\" Cloud Scheduler's, where that is what your team watches."
  type = map(object({
    cron         = string
    template_uri = string
    parameters   = optional(map(string), {})
    paused       = optional(bool, false)
    clock        = optional(string, "vertex")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for schedule in var.schedules : can(regex("^(TZ=[A-Za-z_/+-]+[0-9]* )?([0-9*/,-]+ ){2}[0-9*/,-]+ [0-9A-Za-z*/,-]+ [0-9A-Za-z*/,-]+$", schedule.cron))])
    error_message = "Write cron as five fields, such as \"0 4 * * *\" or \"TZ=Europe/Paris 0 4 * * 1\"."
  }

  validation {
    condition     = alltrue([for schedule in var.schedules : can(regex("^https://[a-z0-9-]+-kfp\\.pkg\\.dev/[^/]+/[^/]+/[^/]+/sha256:[0-9a-f]{64}$", schedule.template_uri))])
    error_message = "Name the pipeline in its repository by its digest: https://REGION-kfp.pkg.dev/PROJECT/REPOSITORY/PIPELINE/sha256:HEX. A tag can move, and then a plan cannot tell what will run."
  }

  validation {
    condition     = alltrue([for schedule in var.schedules : contains(["vertex", "scheduler"], schedule.clock)])
    error_message = "The clock is vertex or scheduler."
  }
}

variable "readers" {
  description = "Who may read the artifacts, such as the service that loads the models: IAM members by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in values(var.readers) : can(regex("^(user|group|serviceAccount|principal|principalSet):[^*]+$", member))])
    error_message = "Name each reader, such as serviceAccount:web-run@PROJECT.iam.gserviceaccount.com; everybody is refused."
  }
}

variable "publishers" {
  description = "Who may publish images and compiled pipelines, such as the app repository's own account: IAM members by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member in values(var.publishers) : can(regex("^(user|group|serviceAccount|principal|principalSet):[^*]+$", member))])
    error_message = "Name each publisher, such as serviceAccount:ml-build@PROJECT.iam.gserviceaccount.com; everybody is refused."
  }
}

variable "alert_channels" {
  description = "Who is told of a run that failed, by a name of your choice: notification channels (projects/PROJECT/notificationChannels/ID)."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for channel in var.alert_channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", channel))])
    error_message = "Give each channel as projects/PROJECT/notificationChannels/ID."
  }
}

variable "artifact_days" {
  description = "After how many days what a run wrote is deleted; null keeps it."
  type        = number
  default     = null

  validation {
    condition     = var.artifact_days == null || try(var.artifact_days >= 1, false)
    error_message = "Give at least 1 day, or null to keep what the runs wrote."
  }
}

variable "labels" {
  description = "Labels of the bucket, the repositories and the runs."
  type        = map(string)
  default     = {}
  nullable    = false
}
