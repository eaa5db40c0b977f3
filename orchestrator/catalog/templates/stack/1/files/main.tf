# Put the stack's resources and modules here; this one stands for them, and needs no provider.
resource "terraform_data" "this" {
  input = var.environment
}
