mock_provider "google" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = module.project.project.id == "example-shop-dev" && length(module.project.services) == 4
    error_message = "The smallest project has the services that the module needs."
  }
}

run "full" {
  command = plan

  module {
    source = "./examples/full"
  }

  assert {
    condition     = length(module.project.services) == 7 && keys(module.project.audit) == ["secretmanager.googleapis.com", "storage.googleapis.com"]
    error_message = "The full one has three more services, and audits two."
  }
}
