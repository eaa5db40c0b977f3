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
  description = "The region of everything in this stack."
  type        = string
  nullable    = false
}

variable "ip_cidr_range" {
  description = "The subnetwork's range; no two environments share one, so that they can be joined later."
  type        = string
  nullable    = false
}
