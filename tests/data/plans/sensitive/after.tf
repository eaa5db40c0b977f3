variable "hidden" {
  type      = string
  sensitive = true
  default   = "marked-hunter2"
}

variable "lines" {
  type      = string
  sensitive = true
  default   = "first-hunter2\nsecond-hunter2\nab\n"
}

resource "terraform_data" "main" {
  input = { a = var.hidden, b = "clear", c = ["x", var.lines], d = "d" }
}

# Known to nobody but the name.
resource "terraform_data" "by_name" {
  input = { db_password = "named-hunter2", enabled = true, pin_token = 12, plain = "copy of named-hunter2" }
}

# A value that was in clear before and is marked now.
resource "terraform_data" "now_marked" {
  input = { a = sensitive("once-hunter2") }
}

output "hidden" {
  value     = var.hidden
  sensitive = true
}

output "api_key" {
  value = "output-hunter2"
}
