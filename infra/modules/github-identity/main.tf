locals {
  workflows = "${var.repository.owner}/${var.repository.name}/.github/workflows"
  trunk     = "refs/heads/${var.trunk}"

  job = "assertion.job_workflow_ref"

  # The reusable workflows of an environment, as the text before and after its name in their reference.
  own_workflows = {
    for use in ["plan", "drift"] : use => {
      before = "${local.workflows}/${split("ENV", var.workflows[use])[0]}"
      after  = "${split("ENV", var.workflows[use])[1]}@${local.trunk}"
    }
  }

  # A binding matches one attribute, so one attribute says all. What no line names is 'none', and nothing is bound to it.
  # The branch alone would prove nothing: comments and schedules run on trunk too. The reusable workflows come first: a
  # job of one of them is that and no apply, whoever calls it. Each is compared whole, so that no text around its name
  # (a branch may be called almost anything) passes for it.
  attribute = join(" : ", concat(
    ["has(${local.job}) && ${local.job} == '${local.workflows}/${var.workflows.attest}@${local.trunk}' ? 'attest'"],
    [
      for use, path in local.own_workflows :
      "has(${local.job}) && ${local.job} == '${path.before}' + ${local.job}.extract('${path.before}{name}${path.after}') + '${path.after}' ? '${use}-' + ${local.job}.extract('${path.before}{name}${path.after}')"
    ],
    [
      "has(assertion.environment) && assertion.workflow_ref == '${local.workflows}/${var.workflows.apply}@${local.trunk}' ? 'apply-' + assertion.environment",
      "'none'",
    ],
  ))

  accounts = merge({
    # It has no role in any project: what it may do is in the state bucket alone.
    attest = { id = "${var.account_prefix}-attest", attribute = "attest", project = var.project_id, roles = toset([]) }
    }, [
    for environment, settings in var.environments : {
      for use in ["plan", "apply", "drift"] : "${environment}/${use}" => {
        id        = "${var.account_prefix}-${environment}-${use}"
        attribute = "${use}-${environment}"
        project   = settings.project_id
        roles     = use == "apply" ? settings.apply_roles : settings.read_roles
      }
    }
  ]...)

  roles = merge([
    for key, account in local.accounts : {
      for role in account.roles : "${key}/${role}" => { account = key, project = account.project, role = role }
    }
  ]...)

  grantable = { for environment, settings in var.environments : environment => settings if length(settings.grantable_roles) > 0 }
}

resource "google_iam_workload_identity_pool" "this" {
  project                   = var.project_id
  workload_identity_pool_id = var.pool_id
  display_name              = "GitHub Actions"
}

resource "google_iam_workload_identity_pool_provider" "this" {
  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.this.workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  display_name                       = "GitHub Actions"

  # Names can be given up and taken by someone else; these numbers cannot.
  attribute_condition = join(" && ", [
    "assertion.repository_owner_id == '${var.repository.owner_id}'",
    "assertion.repository_id == '${var.repository.id}'",
  ])

  attribute_mapping = {
    # GitHub's own subject holds the branch's name, and may be longer than the 127 bytes that are allowed here.
    "google.subject"  = "'repository:' + assertion.repository_id + ':run:' + assertion.run_id"
    "attribute.infra" = local.attribute
  }

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account" "this" {
  for_each = local.accounts

  project      = var.project_id
  account_id   = each.value.id
  display_name = "infra: ${each.key}"
}

resource "google_service_account_iam_member" "github" {
  for_each = local.accounts

  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.this.name}/attribute.infra/${each.value.attribute}"
}

resource "google_project_iam_member" "role" {
  for_each = local.roles

  project = each.value.project
  role    = each.value.role
  member  = google_service_account.this[each.value.account].member
}

# Without the condition, whoever may grant a role may grant itself every role.
resource "google_project_iam_member" "grant" {
  for_each = local.grantable

  project = each.value.project_id
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = google_service_account.this["${each.key}/apply"].member

  condition {
    title      = "only_listed_roles"
    expression = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([${join(", ", [for role in sort(each.value.grantable_roles) : "'${role}'"])}])"
  }
}
