mock_provider "google" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = module.pipeline.artifacts.name == "example-dev-ml-artifacts" && length(module.pipeline.schedules) == 0
    error_message = "The smallest pipeline has a bucket and no schedule."
  }
}

run "full" {
  command = plan

  module {
    source = "./examples/full"
  }

  assert {
    condition     = keys(module.pipeline.schedules) == ["evaluate", "train"] && keys(module.pipeline.publishers) == ["images/build", "pipelines/build"]
    error_message = "The full one has two schedules and a publisher."
  }
}
