"""What a checkout says: its files, its code, and the modules that Terraform makes of them."""
