mock_provider "google" {}

variables {
  project_id = "example-dev"
  region     = "europe-west1"
  name       = "ml"
}

run "project_number_is_refused" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "zone_is_refused" {
  command = plan
  variables {
    region = "europe-west1-b"
  }
  expect_failures = [var.region]
}

run "long_name_is_refused" {
  command = plan
  variables {
    name = "pipelines-with-a-long-name"
  }
  expect_failures = [var.name]
}

run "cron_with_four_fields_is_refused" {
  command = plan
  variables {
    schedules = { train = { cron = "0 4 * *", template_uri = "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines/train/sha256:f94bc0a8a0a4c96fe3a89e71050ff05a3dc1aa69b7992f9511482650473c9c75" } }
  }
  expect_failures = [var.schedules]
}

run "latest_pipeline_is_refused" {
  command = plan
  variables {
    schedules = { train = { cron = "0 4 * * *", template_uri = "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines/train/latest" } }
  }
  expect_failures = [var.schedules]
}

run "pipeline_in_a_bucket_is_refused" {
  command = plan
  variables {
    schedules = { train = { cron = "0 4 * * *", template_uri = "gs://example-dev/train.yaml" } }
  }
  expect_failures = [var.schedules]
}

run "everybody_reading_is_refused" {
  command = plan
  variables {
    readers = { world = "allUsers" }
  }
  expect_failures = [var.readers]
}

run "everybody_publishing_is_refused" {
  command = plan
  variables {
    publishers = { world = "allAuthenticatedUsers" }
  }
  expect_failures = [var.publishers]
}

run "no_days_are_refused" {
  command = plan
  variables {
    artifact_days = 0
  }
  expect_failures = [var.artifact_days]
}

run "a_tag_is_refused" {
  command = plan
  variables {
    schedules = { train = { cron = "0 4 * * *", template_uri = "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines/train/v7" } }
  }
  expect_failures = [var.schedules]
}

run "another_clock_is_refused" {
  command = plan
  variables {
    schedules = { train = { cron = "0 4 * * *", clock = "cron", template_uri = "https://europe-west1-kfp.pkg.dev/example-dev/ml-pipelines/train/sha256:f94bc0a8a0a4c96fe3a89e71050ff05a3dc1aa69b7992f9511482650473c9c75" } }
  }
  expect_failures = [var.schedules]
}

run "channel_without_its_project_is_refused" {
  command = plan
  variables {
    alert_channels = { team = "1001" }
  }
  expect_failures = [var.alert_channels]
}
