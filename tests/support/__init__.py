"""What many tests need: guards, repositories laid out from strings, the Terraform under test."""
