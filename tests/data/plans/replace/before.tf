resource "terraform_data" "main" {
  input            = "same"
  triggers_replace = ["1"]
}

resource "terraform_data" "careful" {
  triggers_replace = ["1"]
  lifecycle {
    create_before_destroy = true
  }
}
