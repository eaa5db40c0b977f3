import {
  to = terraform_data.main
  id = "the-id"
}

resource "terraform_data" "main" {
  input = "set"
}

import {
  to = terraform_data.as_it_is
  id = "another-id"
}

resource "terraform_data" "as_it_is" {}
