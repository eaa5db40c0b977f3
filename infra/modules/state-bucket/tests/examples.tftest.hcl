mock_provider "google" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = module.state.bucket.name == "example-infra-state" && length(module.state.grants) == 13
    error_message = "The smallest bucket serves one environment."
  }
}

run "full" {
  command = plan

  module {
    source = "./examples/full"
  }

  assert {
    condition     = length(module.state.grants) == 28 && length(module.state.folders) == 14
    error_message = "The full one serves the two environments of the identity module."
  }
}
