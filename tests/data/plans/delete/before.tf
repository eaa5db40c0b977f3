resource "terraform_data" "stays" {}

resource "terraform_data" "goes" {
  count = 2
  input = "bye"
}
