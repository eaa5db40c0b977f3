resource "terraform_data" "main" {
  input = { name = "new", list = ["a", "c"], same = "same", added = true }
}
