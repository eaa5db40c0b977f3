"""Which upstreams an attribute's expression reaches: tables over small projects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from orchestrator.repository.output_sources import upstream_finder
from tests.support.repo import Repo

Reaches = Callable[[str, str], frozenset[str]]

CONFIG = "version: 1\nbackend:\n  gcs: {bucket: states}\n"
EMPTY = 'terraform {\n  backend "gcs" {}\n}\n'


def state(name: str, of: str = "") -> str:
    return (
        f'data "terraform_remote_state" "{name}" {{\n  backend = "gcs"\n'
        f'  config = {{ bucket = "states", prefix = "dev/state/{of or name}" }}\n}}\n'
    )


ROOT = (
    EMPTY
    + state("net")
    + state("db")
    + """
locals {
  from_net = data.terraform_remote_state.net.outputs.x
  mixed    = { net = local.from_net, plain = "p", db = data.terraform_remote_state.db.outputs.y }
  loop     = [for local in var.names : local.net]
  rows     = { a = local.from_net }
  first    = local.second
  second   = local.first
}
variable "names" { default = [] }
resource "terraform_data" "direct" {
  input            = data.terraform_remote_state.net.outputs.x
  triggers_replace = "fixed"
}
resource "terraform_data" "by_local" { input = local.from_net }
resource "terraform_data" "element" {
  input            = { a = local.mixed.plain, b = local.mixed.net, c = local.mixed["db"] }
  triggers_replace = local.mixed
}
resource "terraform_data" "text" { input = "x-${local.from_net}-y" }
resource "terraform_data" "heredoc" {
  input = <<EOT
  %{ if true }${local.from_net}%{ endif }
  EOT
}
resource "terraform_data" "call" { input = upper(join("-", [local.from_net, "a"])) }
resource "terraform_data" "choice" { input = true ? local.mixed.plain : local.from_net }
resource "terraform_data" "behind" { input = terraform_data.direct.output }
resource "terraform_data" "far" { input = terraform_data.behind.id }
resource "terraform_data" "looped" { input = local.loop }
resource "terraform_data" "circle" { input = local.first }
resource "terraform_data" "plain" {
  input      = "nothing"
  depends_on = [terraform_data.direct]
  lifecycle { replace_triggered_by = [terraform_data.direct] }
}
resource "terraform_data" "each" {
  for_each         = local.rows
  input            = each.value
  triggers_replace = each.key
}
resource "terraform_data" "counted" {
  count = length(local.from_net)
  input = count.index
}
data "terraform_data_like" "looked" { name = local.from_net }
resource "terraform_data" "by_data" { input = data.terraform_data_like.looked.id }
resource "google_x" "blocks" {
  name = "n"
  one { port = local.from_net }
  many {
    port = local.from_net
    text = "t"
  }
  many { port = 22 }
  dynamic "made" {
    for_each = data.terraform_remote_state.db.outputs.ports
    iterator = it
    content {
      port = it.value
      host = local.from_net
    }
  }
}
module "child" {
  source = "../../../modules/child"
  in     = local.from_net
  plain  = "p"
}
module "twice" {
  source   = "../../../modules/child"
  for_each = { a = data.terraform_remote_state.db.outputs.y }
  in       = each.value
  plain    = "p"
}
module "far" { source = "example.com/x/y" }
resource "terraform_data" "by_module" { input = module.child.passed }
resource "terraform_data" "by_other_output" { input = module.child.fixed }
resource "terraform_data" "by_many" { input = module.twice["a"].passed }
resource "terraform_data" "by_splat" { input = module.child[*].passed }
resource "terraform_data" "by_far" { input = module.far.x }
output "told" { value = module.child.passed }
output "fixed" { value = "f" }
"""
)

CHILD = (
    state("own", "db")
    + """
variable "in" {}
variable "plain" { default = "d" }
resource "terraform_data" "inside" {
  input            = var.in
  triggers_replace = var.plain
}
resource "terraform_data" "own" { input = data.terraform_remote_state.own.outputs.y }
output "passed" { value = terraform_data.inside.output }
output "fixed" { value = var.plain }
"""
)

JSON = """
{"resource": {"terraform_data": {
   "json": {"input": "a ${data.terraform_remote_state.net.outputs.x}", "triggers_replace": {"k": "v"}},
   "blocks": {"many": [{"port": "${local.from_net}"}, {"port": 1}],
              "dynamic": {"made": {"for_each": "${local.from_net}", "content": {"port": 1}}}}}}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    repo = Repo(
        tmp_path_factory.mktemp("reach") / "repo",
        {
            "infra.yaml": CONFIG,
            "infra/envs/dev/net/main.tf": EMPTY,
            "infra/envs/dev/db/main.tf": EMPTY,
            "infra/envs/dev/app/main.tf": ROOT,
            "infra/envs/dev/app/more.tf.json": JSON,
            "infra/envs/dev/app/z_override.tf": 'resource "terraform_data" "by_local" { input = "over" }\n',
            "infra/modules/child/main.tf": CHILD,
        },
    )
    return load(repo.root)


@pytest.fixture(scope="module")
def reaches(project: Project) -> Reaches:
    return upstream_finder(project, "dev/app")


NET, DB = frozenset({"dev/net"}), frozenset({"dev/db"})
NOTHING: frozenset[str] = frozenset()

CASES = [
    ("terraform_data.direct", "input", NET),
    ("terraform_data.direct", "triggers_replace", NOTHING),
    # Not in the code: the provider makes it from the resource's arguments.
    ("terraform_data.direct", "output", NET),
    ("terraform_data.plain", "output", NOTHING),
    ("terraform_data.plain", "input", NOTHING),
    # An override file has the last word.
    ("terraform_data.by_local", "input", NOTHING),
    ("terraform_data.element", "input.a", NOTHING),
    ("terraform_data.element", "input.b", NET),
    ("terraform_data.element", 'input["c"]', DB),
    ("terraform_data.element", "triggers_replace", NET | DB),
    ("terraform_data.text", "input", NET),
    ("terraform_data.heredoc", "input", NET),
    ("terraform_data.call", "input", NET),
    ("terraform_data.choice", "input", NET),
    ("terraform_data.behind", "input", NET),
    ("terraform_data.far", "input", NET),
    # The loop's own name hides that of the locals.
    ("terraform_data.looped", "input", NOTHING),
    ("terraform_data.circle", "input", NOTHING),
    ('terraform_data.each["a"]', "input", NET),
    ('terraform_data.each["a"]', "triggers_replace", NOTHING),
    ("terraform_data.counted[0]", "input", NOTHING),
    ("terraform_data.by_data", "input", NET),
    ("google_x.blocks", "name", NOTHING),
    ("google_x.blocks", "one[0].port", NET),
    ("google_x.blocks", "one[0].unset", NET),
    # Which of several blocks an index means cannot be determined.
    ("google_x.blocks", "many[0].port", NOTHING),
    ("google_x.blocks", "many[1].port", NOTHING),
    ("google_x.blocks", "made[0].port", DB),
    ("google_x.blocks", "made[0].host", NET | DB),
    ("module.child.terraform_data.inside", "input", NET),
    ("module.child.terraform_data.inside", "triggers_replace", NOTHING),
    ("module.child.terraform_data.own", "input", DB),
    ('module.twice["a"].terraform_data.inside', "input", DB),
    ("terraform_data.by_module", "input", NET),
    ("terraform_data.by_other_output", "input", NOTHING),
    ("terraform_data.by_many", "input", DB),
    ("terraform_data.by_splat", "input", NET),
    ("terraform_data.by_far", "input", NOTHING),
    ("output.told", "", NET),
    ("output.fixed", "", NOTHING),
    ("output.missing", "", NOTHING),
    ("terraform_data.json", "input", NET),
    ("terraform_data.json", "triggers_replace.k", NOTHING),
    ("terraform_data.blocks", "many[0].port", NOTHING),
    ("terraform_data.blocks", "made[0].port", NET),
    # What cannot be determined reaches nothing.
    ("terraform_data.gone", "input", NOTHING),
    ("module.gone.terraform_data.x", "input", NOTHING),
    ("terraform_data.direct", "input ] broken", NOTHING),
    ("not an address", "input", NOTHING),
    ("", "", NOTHING),
]


@pytest.mark.parametrize(
    ("address", "path", "expected"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES]
)
def test_reaches(reaches: Reaches, address: str, path: str, expected: frozenset[str]) -> None:
    assert reaches(address, path) == expected


def test_a_stack_that_is_gone_reaches_nothing(project: Project) -> None:
    assert upstream_finder(project, "dev/gone")("terraform_data.direct", "input") == NOTHING
