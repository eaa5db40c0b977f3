mock_provider "google" {}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = module.sql.instance.name == "shop" && keys(module.sql.databases) == ["shop"]
    error_message = "The smallest instance has one database."
  }
}

run "full" {
  command = plan

  module {
    source = "./examples/full"
  }

  assert {
    condition     = module.sql.users == { shop = "shop-run@example-prod.iam", support = "support@example.com" } && length(module.sql.grants) == 4
    error_message = "The full one has two users, who may connect and sign in."
  }
}
