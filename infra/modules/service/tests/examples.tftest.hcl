mock_provider "google" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = module.service.service.name == "web" && length(module.service.invokers) == 0
    error_message = "The smallest service may be called by nobody."
  }
}

run "full" {
  command = plan

  module {
    source = "./examples/full"
  }

  assert {
    condition     = keys(module.service.invokers) == ["gateway"] && keys(module.service.secret_readers) == ["db-password"]
    error_message = "The full one has a caller and reads a secret."
  }
}
