# Nested values, unknown ones inside of known ones, a list, a map with an odd key.
resource "terraform_data" "first" {
  input = "a"
}

resource "terraform_data" "second" {
  input = {
    from_first = terraform_data.first.id
    list       = ["x", terraform_data.first.output]
    labels     = { "a b" = "c", plain = "d" }
    text       = "one\ntwo\n"
    number     = 12345678901234567890
    nothing    = null
  }
}

module "child" {
  source = "./child"
}
