variable "project_id" {
  description = "The project that holds the pool and the accounts: one in which no account of any environment has a role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Give the project's id (6 to 30 lower-case letters, digits and hyphens), not its number or display name."
  }
}

variable "repository" {
  description = "The GitHub repository: its owner and name as GitHub writes them, and the numeric ids of both (gh api repos/OWNER/NAME --jq '.owner.id, .id')."
  type = object({
    owner    = string
    owner_id = string
    name     = string
    id       = string
  })
  nullable = false

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+$", var.repository.owner)) && can(regex("^[A-Za-z0-9._-]+$", var.repository.name))
    error_message = "Give owner and name apart, as in github.com/OWNER/NAME."
  }

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.repository.owner_id)) && can(regex("^[1-9][0-9]*$", var.repository.id))
    error_message = "Give the ids as GitHub's API prints them: digits only. A pool that trusts a name trusts whoever takes that name next."
  }
}

variable "environments" {
  description = "The environments: the project of each, what its apply account may do there, the roles that this account may grant to others there, and what the plan and drift accounts may read."
  type = map(object({
    project_id      = string
    apply_roles     = set(string)
    grantable_roles = optional(set(string), [])
    read_roles      = optional(set(string), ["roles/viewer", "roles/iam.securityReviewer"])
  }))
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.environments) : can(regex("^[a-z][a-z0-9-]*$", name)) && !endswith(name, "-approval")])
    error_message = "An environment is named as its folder below infra/envs, in lower-case letters, digits and hyphens; names that end in -approval belong to the approval gates."
  }

  validation {
    condition     = alltrue([for environment in var.environments : environment.project_id != var.project_id])
    error_message = "An environment needs a project of its own: in the project of the pool and the state bucket its accounts may have no role."
  }

  validation {
    condition = alltrue(flatten([
      for environment in var.environments : [
        for role in environment.apply_roles : !contains([
          "roles/owner",
          "roles/editor",
          "roles/viewer",
          "roles/resourcemanager.projectIamAdmin",
          "roles/iam.securityAdmin",
        ], role)
      ]
    ]))
    error_message = "apply_roles names a role that is far wider than one service, or with which the account could grant itself any other: give one role for each service, and name the roles that it may grant in grantable_roles."
  }

  validation {
    condition = alltrue(flatten([
      for environment in var.environments : [
        for role in environment.grantable_roles : !contains([
          "roles/owner",
          "roles/editor",
          "roles/viewer",
          "roles/resourcemanager.projectIamAdmin",
          "roles/iam.securityAdmin",
          "roles/iam.serviceAccountTokenCreator",
        ], role)
      ]
    ]))
    error_message = "grantable_roles names a role with which the apply account could give itself all others: leave it out."
  }

  validation {
    condition = alltrue(flatten([
      for environment in var.environments : [
        for role in environment.read_roles : can(regex("([vV]iewer|[rR]eader|roles/browser)$", role))
      ]
    ]))
    error_message = "read_roles are for plan and drift, which run code that nobody has approved yet: give roles that only read (…viewer, …reader), and none that reads secrets."
  }
}

variable "trunk" {
  description = "The branch that everything merges to."
  type        = string
  default     = "main"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._/-]*$", var.trunk)) && !startswith(var.trunk, "refs/")
    error_message = "Give the branch's short name, such as main."
  }
}

variable "workflows" {
  description = "The files in .github/workflows that may use the accounts: the reusable workflows that plan an environment and check it for drift (ENV stands for its name), the one that attests plans, and the workflow that applies."
  type = object({
    plan   = optional(string, "infra-plan-ENV.yml")
    drift  = optional(string, "infra-drift-ENV.yml")
    attest = optional(string, "infra-attest.yml")
    apply  = optional(string, "infra-apply.yml")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for file in values(var.workflows) : can(regex("^[A-Za-z0-9._-]+\\.ya?ml$", file))])
    error_message = "Give file names only, such as infra-apply.yml."
  }

  validation {
    condition     = alltrue([for file in [var.workflows.plan, var.workflows.drift] : length(split("ENV", file)) == 2])
    error_message = "Write ENV once in plan and drift, where the environment's name stands: each environment has files of its own."
  }

  validation {
    condition     = length(distinct(values(var.workflows))) == 4
    error_message = "Give four different files: a workflow for two uses would hold the rights of both."
  }
}

variable "pool_id" {
  description = "The pool's id. A deleted pool keeps its id for 30 days."
  type        = string
  default     = "github"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9-]{4,32}$", var.pool_id)) && !startswith(var.pool_id, "gcp-")
    error_message = "Use 4 to 32 lower-case letters, digits and hyphens; Google keeps gcp- for itself."
  }
}

variable "account_prefix" {
  description = "What the accounts' names begin with: PREFIX-ENVIRONMENT-plan, -apply and -drift, and PREFIX-attest."
  type        = string
  default     = "infra"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", var.account_prefix)) && alltrue([for name in keys(var.environments) : length("${var.account_prefix}-${name}-apply") <= 30])
    error_message = "Use lower-case letters, digits and hyphens, short enough that PREFIX-ENVIRONMENT-apply has at most 30 characters."
  }
}
