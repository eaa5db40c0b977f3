resource "terraform_data" "main" {
  input = "same"
}

output "same" {
  value = "same"
}
