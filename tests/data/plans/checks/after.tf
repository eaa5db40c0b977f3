resource "terraform_data" "main" {
  input = "x"
  lifecycle {
    postcondition {
      condition     = self.input == "x"
      error_message = "It must be x."
    }
  }
}

check "health" {
  assert {
    condition     = terraform_data.main.input == "y"
    error_message = "It is ${terraform_data.main.input}, and password=check-hunter2."
  }
}
