resource "terraform_data" "main" {
  input = { name = "old", list = ["a", "b", "c"], same = "same", gone = 1 }
}
