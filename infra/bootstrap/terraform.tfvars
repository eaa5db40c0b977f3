project_id     = "example-infra"
region         = "europe-west1"
state_bucket   = "example-infra-state"
state_location = "EU"

admins = ["group:infra-admins@example.com"]

repository = {
  owner    = "example"
  owner_id = "1001"
  name     = "infrastructure"
  id       = "2002"
}

environments = {
  dev     = { project_id = "example-dev" }
  staging = { project_id = "example-staging" }
  prod    = { project_id = "example-prod" }
}
