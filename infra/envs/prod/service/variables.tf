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

variable "image" {
  description = "The container image that runs, by digest or fixed tag."
  type        = string
  nullable    = false
}

variable "scaling" {
  description = "How few and how many instances run."
  type        = object({ min = number, max = number })
  nullable    = false
}

variable "invokers" {
  description = "Who may call the service: IAM members by a name of your choice."
  type        = map(string)
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the service."
  type        = bool
  nullable    = false
}
