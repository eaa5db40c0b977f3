variable "project_id" {
  description = "The project that holds the network."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Give the project's id (6 to 30 lower-case letters, digits and hyphens), not its number or display name."
  }
}

variable "name" {
  description = "The network's name; subnetworks, routers and firewall rules begin with it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name))
    error_message = "Use at most 30 lower-case letters, digits and hyphens, beginning with a letter, so that the names built from it fit."
  }
}

variable "subnets" {
  description = "Subnetworks by name. flow_sampling is the share of flows that is logged, from 0 (none) to 1 (all)."
  type = map(object({
    region              = string
    ip_cidr_range       = string
    secondary_ip_ranges = optional(map(string), {})
    flow_sampling       = optional(number, 0.5)
  }))
  nullable = false

  validation {
    condition     = length(var.subnets) > 0
    error_message = "Give at least one subnetwork: nothing can be placed in a network that has none."
  }

  validation {
    condition = alltrue([
      for subnet in var.subnets : alltrue([
        for range in concat([subnet.ip_cidr_range], values(subnet.secondary_ip_ranges)) :
        can(cidrhost(range, 0)) && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.|100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.)", range))
      ])
    ])
    error_message = "Write each range as a private IPv4 range, such as 10.10.0.0/20."
  }

  validation {
    condition     = alltrue([for subnet in var.subnets : subnet.flow_sampling >= 0 && subnet.flow_sampling <= 1])
    error_message = "flow_sampling is a share: give a number from 0 to 1."
  }
}

variable "ingress" {
  description = "What may come in, by rule name; all else is denied and logged. With no ports, every port of the protocol is open."
  type = map(object({
    source_ranges           = set(string)
    protocol                = optional(string, "tcp")
    ports                   = optional(list(string))
    target_service_accounts = optional(set(string))
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for rule in var.ingress : length(rule.source_ranges) > 0 && alltrue([
        for range in rule.source_ranges : can(cidrhost(range, 0)) && try(tonumber(split("/", range)[1]) >= 8, false)
      ])
    ])
    error_message = "Name the ranges that may come in, such as 10.10.0.0/20 (a /8 at the widest); for the whole internet put a load balancer in front."
  }
}
