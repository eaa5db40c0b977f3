resource "terraform_data" "new" {
  input = "same"
}

resource "terraform_data" "new_and_changed" {
  input = "2"
}

moved {
  from = terraform_data.old
  to   = terraform_data.new
}

moved {
  from = terraform_data.old_and_changed
  to   = terraform_data.new_and_changed
}
