mock_provider "google" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = keys(module.identity.accounts) == ["dev"]
    error_message = "The smallest identity serves one environment."
  }
}

run "full" {
  command = plan

  module {
    source = "./examples/full"
  }

  assert {
    condition     = keys(module.identity.accounts) == ["dev", "prod"] && length(module.identity.github_bindings) == 7
    error_message = "The full one serves two."
  }
}
