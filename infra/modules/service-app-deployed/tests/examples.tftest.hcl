mock_provider "google" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = keys(module.service.deployers) == ["app"]
    error_message = "The smallest service has somebody to deploy it."
  }
}

run "full" {
  command = plan

  module {
    source = "./examples/full"
  }

  assert {
    condition     = keys(module.service.invokers) == ["gateway"] && keys(module.service.secret_readers) == ["db-password"]
    error_message = "The full one has a caller and may read a secret."
  }
}
