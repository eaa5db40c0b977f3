removed {
  from = terraform_data.main
  lifecycle {
    destroy = false
  }
}
