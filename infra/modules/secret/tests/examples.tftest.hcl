mock_provider "google" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = module.secret.secret.name == "shop-api-key" && length(module.secret.readers) == 0
    error_message = "The smallest secret can be read by nobody."
  }
}

run "full" {
  command = plan

  module {
    source = "./examples/full"
  }

  assert {
    condition     = keys(module.secret.readers) == ["shop"] && keys(module.secret.writers) == ["ops"]
    error_message = "The full one has a reader and a writer."
  }
}
