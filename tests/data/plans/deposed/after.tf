# A failed replacement has left an object behind.
resource "terraform_data" "main" {}
