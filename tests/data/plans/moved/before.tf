resource "terraform_data" "old" {
  input = "same"
}

resource "terraform_data" "old_and_changed" {
  input = "1"
}
