resource "terraform_data" "main" {
  input            = "same"
  triggers_replace = ["2"]
}

resource "terraform_data" "careful" {
  triggers_replace = ["2"]
  lifecycle {
    create_before_destroy = true
  }
}
