"""Stacks, modules, states and edges of real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, GitError, ProjectError
from orchestrator.repository.loading import load, load_commit
from orchestrator.repository.model import Edge, Project
from tests.conftest import MakeRepo

GCS = 'terraform {\n  backend "gcs" {}\n}\n'
SETTINGS = "backend: {gcs: {bucket: states}}\n"


def remote_state(prefix: str, bucket: str = '"states"', name: str = "up", more: str = "") -> str:
    return (
        f'data "terraform_remote_state" "{name}" {{\n  backend = "gcs"\n'
        f"  config = {{\n    bucket = {bucket}\n    prefix = {prefix}\n  }}\n  {more}\n}}\n"
        f'output "o" {{\n  value = data.terraform_remote_state.{name}.outputs.id\n}}\n'
    )


def ends(project: Project) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in project.edges}


def codes(project: Project) -> set[str]:
    return {finding.code for finding in project.findings}


def test_environments_stacks_and_modules(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra/envs/prod/network/main.tf": 'module "n" {\n  source = "../../../modules/network"\n}\n',
            "infra/envs/dev/network/main.tf": 'module "n" {\n  source = "../../../modules/network"\n}\n',
            "infra/envs/dev/team/a/main.tf.json": "{}",
            "infra/envs/staging/main.tf": 'module "own" {\n  source = "./parts"\n}\n',
            "infra/envs/staging/parts/main.tf": "",
            "infra/envs/staging/other/main.tf": "",
            "infra/envs/README.md": "",
            "infra/envs/dev/.terraform/modules/x/main.tf": "",
            "infra/envs/dev/network/tests/setup/main.tf": "",
            "infra/envs/dev/tests/main.tf": "",
            "infra/modules/network/main.tf": 'module "s" {\n  source = "./subnet"\n}\n',
            "infra/modules/network/subnet/main.tf": "",
            "infra/modules/network/examples/basic/main.tf": 'module "n" {\n  source = "../../"\n}\n',
            "infra/modules/unused/main.tf": "",
        }
    )
    project = load(repo.root / "infra/envs/dev")
    assert project.root == repo.root
    assert project.environments == ("dev", "staging", "prod")
    assert list(project.stacks) == [
        *("dev/network", "dev/team/a", "dev/tests"),
        *("staging", "staging/other"),
        "prod/network",
    ]
    assert project.stacks["staging"].path == "infra/envs/staging"
    assert project.stacks["staging"].name == ""
    assert {path: module.used for path, module in project.modules.items()} == {
        "infra/envs/staging/parts": True,
        "infra/modules/network": True,
        "infra/modules/network/subnet": True,
        "infra/modules/unused": False,
    }
    assert project.commit == repo.head


def test_the_root_is_where_infra_yaml_is(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "README.md": "",
            "cloud/infra.yaml": "roots: {envs: live, modules: parts}\n",
            "cloud/live/dev/a/main.tf": 'module "m" {\n  source = "../../../parts/m"\n}\n',
            "cloud/parts/m/main.tf": "",
            "elsewhere/infra/envs/dev/b/main.tf": "",
        }
    )
    project = load(repo.root / "cloud/live/dev")
    assert project.root == repo.root / "cloud"
    assert list(project.stacks) == ["dev/a"]
    assert project.stacks["dev/a"].modules == ("parts/m",)
    repo.write({"cloud/parts/m/main.tf": "# changed\n"})
    assert load_commit(project, "HEAD").fingerprint("dev/a") != load(project.root).fingerprint("dev/a")
    assert list(load(repo.root).stacks) == []


def test_a_shared_root_serves_its_environments(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra.yaml": SETTINGS
            + "environments: {dev: {var_files: [infra/common.tfvars], env: [TF_VAR_x]}, prod: {}}\n"
            "stacks:\n  service:\n    path: infra/roots/service\n    depends_on: [network]\n"
            "    environments: {dev: {var_files: [infra/roots/service/dev.tfvars]}, prod: {}}\n",
            "infra/roots/service/main.tf": GCS,
            "infra/roots/service/dev.tfvars": "",
            "infra/common.tfvars": "",
            "infra/envs/dev/network/main.tf": GCS,
            "infra/envs/prod/network/main.tf": GCS,
        }
    )
    project = load(repo.root)
    dev, prod = project.stacks["dev/service"], project.stacks["prod/service"]
    assert dev.shared
    assert dev.path == prod.path == "infra/roots/service"
    assert dev.var_files == ("infra/common.tfvars", "infra/roots/service/dev.tfvars")
    assert dev.passed_env == ("TF_VAR_x",)
    assert prod.var_files == ()
    assert dev.state == "gs://states/dev/state/service/default.tfstate"
    assert prod.backend_config == {"bucket": "states", "prefix": "prod/state/service"}
    assert ends(project) == {("dev/network", "dev/service"), ("prod/network", "prod/service")}
    assert dev.id != prod.id
    assert project.fingerprint(dev.id) != project.fingerprint(prod.id)


def test_two_directories_with_one_id(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra.yaml": "stacks: {a: {path: infra/roots/a, environments: {dev: {}}}}\n",
            "infra/roots/a/main.tf": GCS,
            "infra/envs/dev/a/main.tf": "",
        }
    )
    with pytest.raises(ProjectError, match=r"infra/envs/dev/a and infra/roots/a"):
        load(repo.root)


@pytest.mark.parametrize(
    ("code", "config", "state"),
    [
        ("", "", "infra/envs/dev/a/terraform.tfstate"),
        (
            'terraform {\n  backend "local" {\n    path = "../x.tfstate"\n  }\n}\n',
            "",
            "infra/envs/dev/x.tfstate",
        ),
        ('terraform {\n  backend "local" {}\n}\n', "", "infra/envs/dev/a/terraform.tfstate"),
        (
            'terraform {\n  backend "local" {}\n}\n',
            "backend: {local: {path: 'states/{environment}/{stack}.tfstate'}}\n",
            "states/dev/a.tfstate",
        ),
        (GCS, SETTINGS, "gs://states/dev/state/a/default.tfstate"),
        (GCS, "", None),
        (
            'terraform {\n  backend "gcs" {\n    bucket = "own"\n    prefix = "p/"\n  }\n}\n',
            SETTINGS,
            "gs://own/p/default.tfstate",
        ),
        ('terraform {\n  backend "gcs" {\n    bucket = var.b\n  }\n}\n', SETTINGS, None),
        ('terraform {\n  backend "s3" {\n    bucket = "b"\n  }\n}\n', SETTINGS, None),
        ('terraform {\n  cloud {\n    organization = "o"\n  }\n}\n', SETTINGS, None),
    ],
)
def test_where_the_state_is(make_repo: MakeRepo, code: str, config: str, state: str | None) -> None:
    repo = make_repo({"infra/envs/dev/a/main.tf": code, "infra.yaml": config or "version: 1\n"})
    stack = load(repo.root).stacks["dev/a"]
    assert stack.state == state
    if stack.backend_config.get("path"):
        assert stack.backend_config["path"] == str(state)


def test_an_override_file_replaces_the_backend(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra.yaml": SETTINGS,
            "infra/envs/dev/a/main.tf": GCS.replace("gcs", "local") + 'module "m" {\n  source = "./x"\n}\n',
            "infra/envs/dev/a/a_override.tf": GCS + 'module "m" {\n  source = "./y"\n}\n',
            "infra/envs/dev/a/x/main.tf": "",
            "infra/envs/dev/a/y/main.tf": "",
        }
    )
    project = load(repo.root)
    assert project.stacks["dev/a"].backend.kind == "gcs"
    assert project.stacks["dev/a"].modules == ("infra/envs/dev/a/y",)


UPSTREAM = {"infra.yaml": SETTINGS, "infra/envs/dev/net/main.tf": GCS}


@pytest.mark.parametrize(
    "files",
    [
        {"a/main.tf": remote_state('"dev/state/net"')},
        {"a/main.tf": remote_state('"/dev/state/net/"')},
        {"a/main.tf": remote_state("var.p"), "a/v.tf": 'variable "p" {\n  default = "dev/state/net"\n}\n'},
        {
            "a/main.tf": remote_state('"${var.env}/state/net"', "local.bucket"),
            "a/v.tf": 'variable "env" {}\nlocals {\n  bucket = "sta${local.t}"\n  t = "tes"\n}\n',
            "a/terraform.tfvars": 'env = "dev"\n',
        },
        {
            "a/main.tf": remote_state("var.p"),
            "a/v.tf": 'variable "p" {\n  default = "wrong"\n}\n',
            "a/terraform.tfvars.json": '{"p": "wrong too"}',
            "a/z.auto.tfvars": 'p = "dev/state/net"\n',
        },
        {"a/main.tf.json": '{"locals": {"x": "${data.terraform_remote_state.up.outputs.id}"}, "data": '
         '{"terraform_remote_state": {"up": {"backend": "gcs", "config": {"bucket": "states", '
         '"prefix": "dev/state/net"}}}}}'},
        {
            "a/main.tf": 'module "m" {\n  source = "./m"\n  prefix = "dev/state/${local.n}"\n}\n'
            'locals {\n  n = "net"\n}\n',
            "a/m/main.tf": remote_state("var.prefix") + 'variable "prefix" {\n  default = "wrong"\n}\n',
        },
    ],
)  # fmt: skip
def test_remote_states_are_followed(make_repo: MakeRepo, files: dict[str, str]) -> None:
    repo = make_repo({**UPSTREAM, **{f"infra/envs/dev/{name}": text for name, text in files.items()}})
    project = load(repo.root)
    [edge] = project.edges
    assert (edge.source, edge.target, edge.kind, edge.name) == ("dev/net", "dev/a", "remote_state", "up")
    assert edge.outputs == frozenset({"id"})
    assert not codes(project)


@pytest.mark.parametrize(
    ("code", "code_of_finding"),
    [
        (remote_state("var.p"), "remote-state-unknown"),
        (remote_state("each.key", more="for_each = toset([])"), "remote-state-unknown"),
        (remote_state('"dev/state/net"', more="workspace = var.w"), "remote-state-unknown"),
        (remote_state('"elsewhere"'), "remote-state-foreign"),
        (remote_state('"dev/state/net"', '"other"'), "remote-state-foreign"),
        (remote_state('"elsewhere"', "var.b"), "remote-state-unknown"),
        ('data "terraform_remote_state" "u" {\n  backend = "s3"\n  config = {}\n}\n', "remote-state-kind"),
        (
            'data "terraform_remote_state" "u" {\n  backend = "gcs"\n  config = var.c\n}\n',
            "remote-state-unknown",
        ),
    ],
)
def test_a_remote_state_of_unknown_value_is_reported(
    make_repo: MakeRepo, code: str, code_of_finding: str
) -> None:
    project = load(make_repo({**UPSTREAM, "infra/envs/dev/a/main.tf": code}).root)
    assert project.edges == ()
    [finding] = project.findings
    assert finding.code == code_of_finding
    assert (finding.file, finding.line, finding.stack) == ("infra/envs/dev/a/main.tf", 1, "dev/a")


def test_a_bucket_of_unknown_name_leaves_the_prefix(make_repo: MakeRepo) -> None:
    code = remote_state('"dev/state/net"', "var.bucket")
    repo = make_repo({**UPSTREAM, "infra/envs/dev/a/main.tf": code})
    project = load(repo.root)
    assert ends(project) == {("dev/net", "dev/a")}
    assert codes(project) == {"remote-state-bucket"}


def test_a_variable_that_the_environment_may_set_is_not_decided_by_its_default(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            **UPSTREAM,
            "infra.yaml": SETTINGS + "environments: {dev: {env: [TF_VAR_p]}}\n",
            "infra/envs/dev/a/main.tf": remote_state("var.p")
            + 'variable "p" {\n  default = "dev/state/net"\n}\n',
        }
    )
    assert codes(load(repo.root)) == {"remote-state-unknown"}


def test_remote_state_on_disk(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra/envs/dev/net/main.tf": "",
            "infra/envs/dev/a/main.tf": 'data "terraform_remote_state" "up" {\n  backend = "local"\n'
            '  config = {\n    path = "${path.module}/../net/terraform.tfstate"\n  }\n}\n',
        }
    )
    project = load(repo.root)
    assert [(edge.source, edge.target, edge.outputs) for edge in project.edges] == [
        ("dev/net", "dev/a", frozenset())
    ]


def test_outputs_of_several_uses(make_repo: MakeRepo) -> None:
    code = remote_state('"dev/state/net"', more='defaults = { d = "" }') + (
        "locals {\n  a = try(data.terraform_remote_state.up.outputs.maybe, null)\n"
        "  b = data.terraform_remote_state.up.outputs.d\n}\n"
    )
    [edge] = load(make_repo({**UPSTREAM, "infra/envs/dev/a/main.tf": code}).root).edges
    assert edge.outputs == frozenset({"id", "maybe", "d"})
    assert edge.optional == {"maybe", "d"}


def test_depends_on(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra.yaml": "stacks: {dev/b: {depends_on: [dev/a, dev/x]}}\n",
            "infra/envs/dev/a/main.tf": "",
            "infra/envs/dev/b/main.tf": "",
        }
    )
    project = load(repo.root)
    assert project.edges == (Edge("dev/a", "dev/b", "depends_on", file="infra.yaml"),)
    [finding] = project.findings
    assert (finding.severity, finding.code) == ("error", "depends-on")
    assert "dev/x" in finding.message


def test_links_are_followed_and_bad_ones_reported(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {"infra/envs/dev/a/main.tf": "", "common/provider.tf": 'module "m" {\n  source = "./m"\n}\n'}
    )
    (repo.root / "infra/envs/dev/a/provider.tf").symlink_to("../../../../common/provider.tf")
    (repo.root / "infra/envs/dev/a/loop").symlink_to("..")
    (repo.root / "infra/envs/dev/out").symlink_to("/etc")
    (repo.root / "infra/envs/prod").symlink_to("dev")
    repo.write({"infra/envs/dev/a/m/main.tf": ""})
    for project in (load(repo.root), load_commit(load(repo.root), repo.commit())):
        assert list(project.stacks) == ["dev/a", "prod/a"]
        assert project.stacks["dev/a"].modules == ("infra/envs/dev/a/m",)
        assert {finding.code for finding in project.findings} == {"link-loop", "link-outside"}


@pytest.mark.parametrize(
    "name", ["with space", "semi;colon", "$(touch x)", "quote'\"s", "-dash", "ünï", "a`b"]
)
def test_odd_names(make_repo: MakeRepo, name: str) -> None:
    repo = make_repo({f"infra/envs/dev/{name}/main.tf": "# one\n"})
    repo.write({f"infra/envs/dev/{name}/more.tf": "# two\n"})
    project = load(repo.root)
    assert list(project.stacks) == [f"dev/{name}"]
    assert len(project.files(f"dev/{name}")) == 2
    assert list(load_commit(project, "HEAD").stacks) == [f"dev/{name}"]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ('"../../../../../outside"', "module-outside"),
        ('"../../../modules/none"', "module-missing"),
        ("var.where", "module-source-unknown"),
    ],
)
def test_modules_that_lead_nowhere(make_repo: MakeRepo, source: str, code: str) -> None:
    repo = make_repo({"infra/envs/dev/a/main.tf": f'# a\nmodule "m" {{\n  source = {source}\n}}\n'})
    project = load(repo.root)
    [finding] = project.coverage.problems(project.stacks["dev/a"])
    assert (finding.code, finding.file, finding.line) == (code, "infra/envs/dev/a/main.tf", 2)


def test_a_file_that_does_not_parse_stops_its_stack_alone(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra/envs/dev/a/main.tf": 'module "m" {\n  source = "../../../modules/m"\n}\n',
            "infra/envs/dev/b/main.tf": "",
            "infra/modules/m/main.tf": "locals {\n  x = = 1\n}\n",
        }
    )
    project = load(repo.root)
    project.require(["dev/b"])
    with pytest.raises(ProjectError) as caught:
        project.require(["dev/b", "dev/a"])
    assert caught.value.file == "infra/modules/m/main.tf"
    assert caught.value.stack == "dev/a"
    assert caught.value.advice


def test_types_in_use(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra/envs/dev/a/main.tf": 'module "m" {\n  source = "./m"\n}\n'
            'resource "terraform_data" "x" {}\n'
            'terraform {\n  required_providers {\n    mine = { source = "example.com/a/mine" }\n  }\n}\n'
            'resource "mine_thing" "x" {}\n',
            "infra/envs/dev/a/m/main.tf": 'resource "google_a" "x" {}\ndata "google_b" "x" {}\n',
        }
    )
    types = load(repo.root).types(["dev/a"])
    assert types.resources == {"terraform_data", "mine_thing", "google_a"}
    assert types.data_sources == {"google_b"}
    assert types.providers == {"example.com/a/mine", "registry.terraform.io/hashicorp/google"}


def test_outside_a_repository(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="not in a Git repository") as caught:
        load(tmp_path)
    assert caught.value.advice


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "infra/envs/dev/a").mkdir(parents=True)
    (tmp_path / "infra/envs/dev/a/main.tf").write_text("")
    project = load(tmp_path)
    assert list(project.stacks) == ["dev/a"]
    assert project.commit is None


def test_the_configuration_of_a_commit_is_its_own(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra.yaml": "trunk: one\n", "infra/envs/dev/a/main.tf": ""})
    repo.write({"infra.yaml": "trunk: two\n"})
    project = load(repo.root)
    assert project.config.trunk == "two"
    assert load_commit(project, "HEAD").config.trunk == "one"
    repo.commit({"infra.yaml": "trunk: [\n"})
    with pytest.raises(ConfigError):
        load_commit(project, "HEAD")


def test_what_init_depends_on(make_repo: MakeRepo) -> None:
    main = 'module "m" {\n  source = "./m"\n}\n'
    repo = make_repo(
        {"infra/envs/dev/a/main.tf": GCS + main, "infra/envs/dev/a/m/main.tf": "", "infra.yaml": SETTINGS}
    )

    def key() -> str:
        return load(repo.root).init_key("dev/a")

    first = key()
    repo.write({"infra/envs/dev/a/main.tf": GCS + main + 'output "x" {\n  value = 1\n}\n'})
    assert key() == first
    keys = {first}
    for change in (
        {"infra/envs/dev/a/m/main.tf": 'resource "google_x" "x" {}\n'},
        {"infra/envs/dev/a/.terraform.lock.hcl": "# locked\n"},
        {"infra.yaml": SETTINGS.replace("states", "others")},
        {"infra/envs/dev/a/main.tf": GCS + main + 'module "n" {\n  source = "./m"\n}\n'},
        {"infra/envs/dev/a/m/main.tf": 'terraform {\n  required_version = ">= 1"\n}\n'},
    ):
        repo.write(change)
        assert key() not in keys
        keys.add(key())


def test_upstreams_are_those_whose_outputs_are_read(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            **UPSTREAM,
            "infra.yaml": SETTINGS + "stacks: {dev/a: {depends_on: [dev/b]}}\n",
            "infra/envs/dev/a/main.tf": remote_state('"dev/state/net"'),
            "infra/envs/dev/b/main.tf": GCS,
        }
    )
    project = load(repo.root)
    assert [edge.source for edge in project.upstreams("dev/a")] == ["dev/net"]
    assert project.prerequisites()["dev/a"] == {"dev/net", "dev/b"}


def test_one_state_read_in_two_modules_is_one_edge(make_repo: MakeRepo) -> None:
    call = 'module "m" {\n  source = "./m"\n}\n'
    other = remote_state('"dev/state/net"').replace("outputs.id", "outputs.other")
    repo = make_repo(
        {
            **UPSTREAM,
            "infra/envs/dev/a/main.tf": call + remote_state('"dev/state/net"'),
            "infra/envs/dev/a/m/main.tf": other,
        }
    )
    [edge] = load(repo.root).edges
    assert edge.outputs == frozenset({"id", "other"})


def test_code_in_a_submodule_counts_as_one_file(make_repo: MakeRepo) -> None:
    inner = make_repo({"m/main.tf": ""}, name="inner")
    repo = make_repo({"infra/envs/dev/a/main.tf": 'module "m" {\n  source = "../../../../sub/m"\n}\n'})
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.root), "sub")
    project = load(repo.root)
    assert project.files("dev/a")["sub"] == inner.head
    assert [problem.code for problem in project.coverage.problems(project.stacks["dev/a"])] == [
        "module-in-submodule"
    ]


def test_an_opentofu_file_replaces_its_twin(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra.yaml": SETTINGS,
            "infra/envs/dev/a/main.tf": GCS.replace("gcs", "local"),
            "infra/envs/dev/a/main.tofu": GCS,
        }
    )
    project = load(repo.root)
    assert project.stacks["dev/a"].backend.kind == "gcs"
    assert len(project.files("dev/a")) == 2


@pytest.mark.parametrize(
    "config",
    ["roots: {envs: ../x}\n", "stacks: {a: {path: ../x, environments: {dev: {}}}}\n"],
)
def test_a_path_outside_the_project_is_refused(make_repo: MakeRepo, config: str) -> None:
    repo = make_repo({"infra.yaml": config, "infra/envs/dev/b/main.tf": ""})
    with pytest.raises((ConfigError, ProjectError)) as caught:
        load(repo.root)
    assert caught.value.exit_code == 3
    assert caught.value.advice
