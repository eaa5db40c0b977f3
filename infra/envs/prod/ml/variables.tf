variable "environment" {
  description = "The environment, as its folder is named."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "The environment's project."
  type        = string
  nullable    = false
}

variable "region" {
  description = "The region of everything in this environment."
  type        = string
  nullable    = false
}

variable "state_bucket" {
  description = "The bucket that holds the states of the other stacks."
  type        = string
  nullable    = false
}

variable "schedules" {
  description = "The pipelines that run by the clock, by name."
  type = map(object({
    cron         = string
    template_uri = string
    parameters   = map(string)
    paused       = bool
  }))
  nullable = false
}
