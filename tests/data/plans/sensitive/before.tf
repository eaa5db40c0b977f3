resource "terraform_data" "main" {
  input = { a = "old-hunter2", b = "clear", c = ["x", "y"], d = "c" }
}

resource "terraform_data" "now_marked" {
  input = { a = "once-hunter2" }
}
