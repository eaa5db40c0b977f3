resource "terraform_data" "main" {
  input = "same"
}

output "added" {
  value = { a = [1, 2], b = "x" }
}

output "changed" {
  value = "new"
}

output "same" {
  value = "same"
}
