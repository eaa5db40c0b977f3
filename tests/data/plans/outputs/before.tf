resource "terraform_data" "main" {
  input = "same"
}

output "changed" {
  value = "old"
}

output "removed" {
  value = "bye"
}

output "same" {
  value = "same"
}
