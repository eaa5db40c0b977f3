# Read during the apply, since where it lies is not known before.
resource "terraform_data" "path" {
  input = "elsewhere.tfstate"
}

data "terraform_remote_state" "other" {
  backend = "local"
  config  = { path = terraform_data.path.output }
}

resource "terraform_data" "reader" {
  input = { from = data.terraform_remote_state.other.outputs, fixed = "x" }
}
