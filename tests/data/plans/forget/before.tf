resource "terraform_data" "main" {
  input = "stays in the world"
}
