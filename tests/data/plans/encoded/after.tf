locals {
  password = "q\"uo\\te <hunter2>&b ü hunter2"
}

resource "terraform_data" "json" {
  input = jsonencode({ user = "bob", password = local.password, in = jsonencode({ token = "in-hunter2" }) })
}

resource "terraform_data" "yaml" {
  input = yamlencode({ user = "bob", password = "yaml-hunter2 and more" })
}

resource "terraform_data" "base64" {
  input = base64encode("DB_PASSWORD=encoded-hunter2\nUSER=bob\n")
}

resource "terraform_data" "script" {
  input = <<-EOT
    #!/bin/sh
    export API_KEY='script-hunter2'
    curl -H "Authorization: Bearer bearer-hunter2-token" https://bob:url-hunter2@example.com
    mysql --password=flag-hunter2
  EOT
}

resource "terraform_data" "environment" {
  input = {
    env     = [{ name = "DB_PASSWORD", value = "env-hunter2" }, { name = "A", value = "b" }]
    secrets = { one = "map-hunter2", two = ["list-hunter2", "text-hunter2\nEOT\nend-hunter2\n"] }
    key     = <<-EOT
      -----BEGIN PRIVATE KEY-----
      MIIhunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunt
      -----END PRIVATE KEY-----
    EOT
  }
}

resource "terraform_data" "short" {
  input = { password = "12", token = "ab", size = "12", list = ["ab"] }
}
