locals {
  # All repositories of the bucket, by the folder of each in it.
  repositories = merge({ (var.prefix) = { attest = var.attest, environments = var.environments, promotion_order = var.promotion_order } }, var.repositories)

  # Each folder with the slash behind it, and what the keys of its grants begin with.
  tops = { for folder in keys(local.repositories) : folder => folder == "" ? "" : "${folder}/" }
  keys = { for folder in keys(local.repositories) : folder => folder == var.prefix ? "" : "${folder}:" }

  # In promotion order, the environment before each one; its checks must have passed, and that is written there.
  usual_order = ["dev", "development", "test", "qa", "staging", "stage", "preprod", "prod", "production"]
  orders = {
    for folder, repository in local.repositories : folder =>
    repository.promotion_order != null ? repository.promotion_order : [for name in local.usual_order : name if contains(keys(repository.environments), name)]
  }
  before = { for folder, order in local.orders : folder => { for index, name in order : name => order[index - 1] if index > 0 } }

  # The folders of each environment, without the slash behind them: where it is remembered, and where its states are.
  places = {
    for folder, repository in local.repositories : folder => {
      for name, accounts in repository.environments : name => {
        memory = accounts.memory != null ? accounts.memory : ["${local.tops[folder]}${name}"]
        states = accounts.states != null ? accounts.states : ["${local.tops[folder]}${name}/state"]
      }
    }
  }

  # Rights on the bucket itself. Whose memory it is says one object per repository that its accounts read, and that
  # plan and drift cannot write. Where states are not below a folder, the whole bucket is the environment's.
  bucket_grants = merge(flatten([
    for folder, repository in local.repositories : [
      [
        for name, accounts in repository.environments : [
          for base in local.places[folder][name].memory : merge(
            { for use in ["plan", "apply", "drift"] : "${local.keys[folder]}${name}/${use}/read/${base}" => { role = "roles/storage.objectViewer", member = accounts[use], object = "${trimsuffix(base, name)}repository.json" } },
            {
              "${local.keys[folder]}${name}/apply/create/${base}" = { role = "roles/storage.objectCreator", member = accounts.apply, object = "${trimsuffix(base, name)}repository.json" }
              # The same for all environments that share the object.
              "${local.keys[folder]}attest/${trimsuffix(base, name)}" = { role = "roles/storage.objectViewer", member = repository.attest, object = "${trimsuffix(base, name)}repository.json" }
            },
          )
        ]
        ], [
        for name, accounts in repository.environments : [
          for state in local.places[folder][name].states : {
            for use in ["plan", "apply", "drift"] : "${local.keys[folder]}${name}/${use}/all" => { role = use == "apply" ? "roles/storage.objectUser" : "roles/storage.objectViewer", member = accounts[use], object = "" }
          } if state == ""
        ]
      ]
    ]
  ])...)
  conditions = {
    for object in toset([for grant in local.bucket_grants : grant.object]) : object => {
      title      = "the marker of the memory"
      expression = "resource.name == \"projects/_/buckets/${var.name}/objects/${object}\""
    } if object != ""
  }
  bucket_members = { for grant in local.bucket_grants : jsonencode([grant.object, grant.role]) => grant.member... }
  bindings = concat([jsonencode({ members = sort(var.admins), role = "roles/storage.admin" })], [
    for key, members in local.bucket_members : jsonencode(merge(
      { members = sort(distinct(members)), role = jsondecode(key)[1] },
      { for object, condition in local.conditions : "condition" => condition if object == jsondecode(key)[0] },
    ))
  ])

  # Who may do what, and where; nothing reaches further than the folder that it names. A key names the folder only where
  # it is not the usual one, so that a grant whose folder changes is replaced, and never removed after it was added.
  grants = merge(flatten([
    for folder, repository in local.repositories : [
      [
        for name, accounts in repository.environments : [
          for base in local.places[folder][name].memory : {
            for key, grant in {
              "apply"       = { folder = "", role = "roles/storage.objectUser", member = accounts.apply }
              "plan/ledger" = { folder = "ledger/", role = "roles/storage.objectViewer", member = accounts.plan }
              # May read plans and add one, but neither change nor delete one.
              "plan/plans"        = { folder = "plans/", role = "roles/storage.objectViewer", member = accounts.plan }
              "plan/new-plans"    = { folder = "plans/", role = "roles/storage.objectCreator", member = accounts.plan }
              "plan/drift"        = { folder = "drift/", role = "roles/storage.objectViewer", member = accounts.plan }
              "plan/attestations" = { folder = "attestations/", role = "roles/storage.objectViewer", member = accounts.plan }
              "plan/promotion"    = { folder = "promotion/", role = "roles/storage.objectViewer", member = accounts.plan }
              # Creates attestations and reads none, so it can change none either.
              "attest/plans"        = { folder = "plans/", role = "roles/storage.objectViewer", member = repository.attest }
              "attest/attestations" = { folder = "attestations/", role = "roles/storage.objectCreator", member = repository.attest }
              "drift/ledger"        = { folder = "ledger/", role = "roles/storage.objectViewer", member = accounts.drift }
              "drift/drift"         = { folder = "drift/", role = "roles/storage.objectUser", member = accounts.drift }
            } : "${local.keys[folder]}${name}/${key}${base == "${local.tops[folder]}${name}" ? "" : ":${base}"}" => merge(grant, { folder = "${base}/${grant.folder}" })
          }
        ]
        ], [
        for name, accounts in repository.environments : [
          for state in local.places[folder][name].states : {
            for use in ["plan", "drift", "apply"] : "${local.keys[folder]}${name}/${use}/state${state == "${local.tops[folder]}${name}/state" ? "" : ":${state}"}" => {
              folder = "${state}/"
              role   = use == "apply" ? "roles/storage.objectUser" : "roles/storage.objectViewer"
              member = accounts[use]
            } if use != "apply" || !anytrue([for base in local.places[folder][name].memory : startswith("${state}/", "${base}/")])
          } if state != ""
        ]
        ], [
        for name, before in local.before[folder] : [
          for base in local.places[folder][before].memory : {
            for use in ["plan", "apply"] : "${local.keys[folder]}${name}/${use}/before${base == "${local.tops[folder]}${before}" ? "" : ":${base}"}" => {
              folder = "${base}/promotion/"
              role   = "roles/storage.objectViewer"
              member = repository.environments[name][use]
            }
          }
        ]
      ]
    ]
  ])...)

  folders = toset([for grant in local.grants : grant.folder])

  # Through the bucket, where it is created here, so that what is in it comes after it.
  bucket = var.create ? google_storage_bucket.this[0].name : var.name
}

resource "google_storage_bucket" "this" {
  count = var.create ? 1 : 0

  project  = var.project_id
  name     = var.name
  location = var.location
  labels   = var.labels

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  # Old versions go only when they are both many and old.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions         = var.noncurrent_versions.keep
      days_since_noncurrent_time = var.noncurrent_versions.days
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  dynamic "lifecycle_rule" {
    # One rule for each repository: a rule takes 50 prefixes.
    for_each = {
      for folder, environments in local.places : folder => flatten([for name in sort(keys(environments)) : sort(environments[name].memory)])
      if length(flatten([for environment in environments : tolist(environment.memory)])) > 0
    }

    content {
      action {
        type = "Delete"
      }
      condition {
        age            = var.plan_days
        matches_prefix = flatten([for base in lifecycle_rule.value : ["${base}/attestations/", "${base}/plans/"]])
      }
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]

    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Authoritative: it takes away the rights that a new bucket gives to the project's viewers, editors and owners.
resource "google_storage_bucket_iam_policy" "this" {
  count = var.create ? 1 : 0

  bucket = local.bucket

  policy_data = jsonencode({
    bindings = [for binding in local.bindings : jsondecode(binding)]
  })
}

# In a bucket that somebody else manages: what the accounts need, beside what is there.
resource "google_storage_bucket_iam_member" "this" {
  for_each = var.create ? {} : local.bucket_grants

  bucket = local.bucket
  role   = each.value.role
  member = each.value.member

  dynamic "condition" {
    for_each = [for object, condition in local.conditions : condition if object == each.value.object]

    content {
      title      = condition.value.title
      expression = condition.value.expression
    }
  }
}

resource "google_storage_managed_folder" "this" {
  for_each = local.folders

  bucket = local.bucket
  name   = each.key
}

resource "google_storage_managed_folder_iam_member" "this" {
  for_each = local.grants

  bucket         = local.bucket
  managed_folder = google_storage_managed_folder.this[each.value.folder].name
  role           = each.value.role
  member         = each.value.member
}
