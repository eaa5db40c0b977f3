"""plan, apply and destroy from the command line, on real Terraform with states on disk."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo
from tests.support.schemas import check_schema

ONE = """
variable "word" {
  default = "one"
}
resource "terraform_data" "x" {
  input = var.word
}
output "x" {
  value = terraform_data.x.output
}
"""

READS_A = """
data "terraform_remote_state" "a" {
  backend = "local"
  config = {
    path = "${path.module}/../a/terraform.tfstate"
  }
}
resource "terraform_data" "y" {
  input = data.terraform_remote_state.a.outputs.x
}
"""

FAILS = """
resource "terraform_data" "before" {}
resource "terraform_data" "x" {
  input = "x"
  depends_on = [terraform_data.before]
  lifecycle {
    postcondition {
      condition     = self.output == "never"
      error_message = "It is not what it should be."
    }
  }
}
output "x" {
  value = terraform_data.x.output
}
"""

IGNORED = "*.tfstate*\n.terraform*\n"


@pytest.fixture
def project(make_steady_repo: MakeRepo) -> Repo:
    """dev with a, b (which reads a) and c; prod with a."""
    return make_steady_repo(
        {
            ".gitignore": IGNORED,
            "infra/envs/dev/a/main.tf": ONE,
            "infra/envs/dev/b/main.tf": READS_A,
            "infra/envs/dev/c/main.tf": ONE,
            "infra/envs/prod/a/main.tf": ONE,
        }
    )


@pytest.fixture
def infra(project: Repo, terraform_argv: tuple[str, ...]) -> Infra:
    return Infra(project.root, {})


def test_a_plan_reports_what_would_change_and_changes_nothing(infra: Infra, project: Repo) -> None:
    ran = infra("plan", "--all", "--json", code=0)
    assert ran.results == {"dev/a": "changed", "dev/b": "waiting", "dev/c": "changed", "prod/a": "changed"}
    assert ran.stack("dev/a")["counts"]["create"] == 1
    assert ran.stack("dev/a")["changes"][0]["address"] == "terraform_data.x"
    assert ran.stack("dev/b")["reason"] == "dev/a was never applied"
    assert ran.document["run"]["commit"] == project.head
    assert not list(project.root.glob("infra/**/*.tfstate"))
    assert not list(project.root.glob("infra/**/.terraform*"))
    assert project.git("status", "--porcelain") == ""
    assert not list(project.root.glob(".infra/**/plan.tfplan"))


@pytest.mark.parametrize(
    "argv",
    [
        ("plan", "--all"),
        ("apply", "dev", "--auto-approve"),
        ("plan", "no-such"),
        ("plan", "--no-such-option"),
        ("apply", "dev/a"),
        ("destroy",),
    ],
)
def test_every_document_fits_the_schema(infra: Infra, argv: tuple[str, ...]) -> None:
    ran = infra(*argv, "--json")
    check_schema(ran.document, "run")
    assert ran.document["exit_code"] == ran.code
    assert ran.document["command"] == argv[0]


def test_exit_2_means_changes_only_when_requested(infra: Infra) -> None:
    infra("plan", "dev/a", code=0)
    infra("plan", "dev/a", "--detailed-exitcode", code=2)


def test_without_a_terminal_an_apply_wants_its_answer_beforehand(infra: Infra, project: Repo) -> None:
    ran = infra("apply", "dev/a", code=4)
    assert "--auto-approve" in ran.err
    assert not (project.root / "infra/envs/dev/a/terraform.tfstate").exists()


def test_an_apply_does_what_was_planned_and_then_there_is_nothing_left(infra: Infra) -> None:
    ran = infra("apply", "dev", "--auto-approve", "--json", code=0)
    assert ran.results == {"dev/a": "applied", "dev/b": "applied", "dev/c": "applied"}
    again = infra("plan", "dev", "--json", "--detailed-exitcode", code=0)
    assert set(again.results.values()) == {"unchanged"}
    assert infra("output", "dev/a", "x").out == '"one"\n'
    assert infra("state", "list", "dev/b").out == "data.terraform_remote_state.a\nterraform_data.y\n"


def test_a_protected_environment_wants_its_name(infra: Infra, project: Repo) -> None:
    ran = infra("apply", "--all", "--auto-approve", code=4)
    assert "prod is protected" in ran.err
    assert not list(project.root.glob("infra/**/*.tfstate"))
    infra("apply", "--all", "--auto-approve", "--confirm", "prod", code=0)


def test_with_no_name_it_is_what_differs_from_trunk(infra: Infra, project: Repo) -> None:
    infra("apply", "dev", "--auto-approve", code=0)
    assert "no stack is affected" in infra("plan", code=0).out
    project.branch("work")
    project.write({"infra/envs/dev/a/terraform.tfvars": 'word = "two"\n'})
    ran = infra("plan", "--json", code=0)
    assert ran.results["dev/a"] == "changed"
    attribute = ran.stack("dev/a")["changes"][0]["attributes"][0]
    assert (attribute["path"], attribute["before"], attribute["after"]) == ("input", "one", "two")
    assert "dev/b" in ran.results, "dev/b reads the output that changes"
    assert "dev/c" not in ran.results


def test_a_dependent_whose_outputs_do_not_move_is_left_alone(infra: Infra, project: Repo) -> None:
    infra("apply", "dev", "--auto-approve", code=0)
    project.branch("work")
    project.write({"infra/envs/dev/a/more.tf": 'resource "terraform_data" "more" {}\n'})
    assert infra("plan", "--json", code=0).results == {"dev/a": "changed"}


def test_what_reads_a_changed_stack_is_planned_again_after_it(infra: Infra, project: Repo) -> None:
    infra("apply", "dev", "--auto-approve", code=0)
    project.write({"infra/envs/dev/a/terraform.tfvars": 'word = "two"\n'})
    ran = infra("apply", "dev/a", "dev/b", "--auto-approve", "--json", code=0)
    assert ran.results == {"dev/a": "applied", "dev/b": "applied"}
    assert set(infra("plan", "dev", "--json").results.values()) == {"unchanged"}


def test_a_failure_aborts_what_stands_on_it_and_nothing_else(infra: Infra, project: Repo) -> None:
    project.write({"infra/envs/dev/a/main.tf": FAILS})
    ran = infra("apply", "--all", "--auto-approve", "--confirm", "prod", "--json", code=7)
    assert ran.results == {"dev/a": "failed", "dev/b": "aborted", "dev/c": "applied", "prod/a": "aborted"}
    assert ran.stack("dev/b")["reason"] == "dev/a failed"
    assert ran.stack("prod/a")["reason"] == "promotion stopped: dev/a failed"
    diagnostic = ran.stack("dev/a")["diagnostics"][0]
    assert diagnostic["file"] == "infra/envs/dev/a/main.tf"
    assert "It is not what it should be." in diagnostic["detail"]
    project.write({"infra/envs/dev/a/main.tf": ONE})
    infra("apply", "--all", "--auto-approve", "--confirm", "prod", "--allow-destroy", code=0)


def test_a_plan_that_fails_hides_no_other(infra: Infra, project: Repo) -> None:
    project.write({"infra/envs/dev/a/main.tf": 'output "x" {\n  value = nothing.at.all\n}\n'})
    ran = infra("plan", "dev", "--json", code=1)
    assert ran.results["dev/c"] == "changed"
    assert ran.results["dev/a"] == "failed"
    assert ran.document["errors"][0]["class"] == "TerraformError"
    assert ran.document["errors"][0]["stack"] == "dev/a"
    text = infra("plan", "dev", code=1)
    assert "undeclared resource" in text.out


def test_destroy_goes_in_reverse_and_wants_a_word(infra: Infra, project: Repo) -> None:
    infra("apply", "--all", "--auto-approve", "--confirm", "prod", code=0)
    assert "deleted or replaced" in infra("destroy", "dev", "--auto-approve", code=4).err
    ran = infra("destroy", "dev", "--auto-approve", "--allow-destroy", code=0)
    lines = ran.err.splitlines()
    ended = [line.split(":")[0] for line in lines if ": destroyed" in line]
    assert ended.index("dev/b") < ended.index("dev/a")
    assert json.loads((project.root / "infra/envs/dev/a/terraform.tfstate").read_text())["resources"] == []
    assert infra("destroy", "prod", "--auto-approve", "--allow-destroy", code=4).err.count(
        "prod is protected"
    )
    nothing = infra("destroy", "dev", "--auto-approve", "--json", code=0)
    assert set(nothing.results.values()) == {"unchanged"}


def test_destroy_needs_an_address(infra: Infra) -> None:
    assert "--all" in infra("destroy", code=3).err


def test_saved_plans_are_applied_as_they_are(infra: Infra, project: Repo) -> None:
    infra("plan", "dev/a", "dev/c", "--out", "plans", code=0)
    root = project.root / "plans"
    assert stat.S_IMODE((root / "dev%2Fa" / "plan.tfplan").stat().st_mode) == 0o600
    assert json.loads((root / "manifest.json").read_text())["commit"] == project.head
    ran = infra("apply", "--plan", "plans", "--auto-approve", "--json", code=0)
    assert ran.results == {"dev/a": "applied", "dev/c": "applied"}
    stale = infra("apply", "--plan", "plans", "--auto-approve", code=5)
    assert "has moved since the plan" in stale.err


def test_what_was_named_must_be_saved(infra: Infra) -> None:
    infra("plan", "dev/a", "--out", "plans", code=0)
    refused = infra("apply", "prod", "--plan", "plans", "--auto-approve", "--confirm", "prod", code=3)
    assert "It has dev/a." in refused.err


def test_a_variable_without_a_value_is_refused_before_anything_runs(infra: Infra) -> None:
    refused = infra("plan", "--all", "--var", "s3cret", code=3)
    assert "NAME=VALUE" in refused.err
    assert "s3cret" not in refused.err


def test_a_saved_plan_whose_upstream_moved_is_refused(infra: Infra, project: Repo) -> None:
    infra("apply", "dev", "--auto-approve", code=0)
    project.write({"infra/envs/dev/b/more.tf": 'resource "terraform_data" "more" {}\n'})
    infra("plan", "dev/b", "--out", "plans", code=0)
    project.write({"infra/envs/dev/a/terraform.tfvars": 'word = "two"\n'})
    infra("apply", "dev/a", "--auto-approve", code=0)
    refused = infra("apply", "--plan", "plans", "--auto-approve", code=5)
    assert "An upstream of dev/b has moved" in refused.err


def replace_plan(saved: Path, change: Callable[[bytes, bytes], bytes]) -> None:
    """Put another plan file in the place of dev/a's, as if it had been kept."""
    path, manifest = saved / "dev%2Fa" / "plan.tfplan", saved / "manifest.json"
    content = json.loads(manifest.read_text())
    path.write_bytes(change(path.read_bytes(), content["terraform"].encode()))
    content["stacks"]["dev/a"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content))


def of_version_zero(data: bytes, version: bytes) -> bytes:
    """A plan file with the major version of the Terraform that made it turned into 0."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(version, b"0" + version[1:]))
    return out.getvalue()


def test_a_saved_plan_is_not_applied_after_its_upstream_has_moved_in_the_same_run(
    infra: Infra, project: Repo
) -> None:
    infra("apply", "dev", "--auto-approve", code=0)
    more = 'resource "terraform_data" "more" {}\n'
    project.write({"infra/envs/dev/a/more.tf": more, "infra/envs/dev/b/more.tf": more})
    infra("plan", "dev/a", "dev/b", "--out", "plans", code=0)
    ran = infra("apply", "--plan", "plans", "--auto-approve", "--json", code=0)
    assert ran.results == {"dev/a": "applied", "dev/b": "applied"}

    project.write({"infra/envs/dev/a/terraform.tfvars": 'word = "two"\n'})
    project.remove("infra/envs/dev/b/more.tf")
    infra("plan", "dev/a", "dev/b", "--out", "plans", code=0)
    ran = infra("apply", "--plan", "plans", "--auto-approve", "--allow-destroy", "--json", code=5)
    assert ran.results == {"dev/a": "applied", "dev/b": "mismatch"}
    assert ran.stack("dev/b")["reason"] == "The state of dev/a has moved since the plan."


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda saved: (saved / "manifest.json").write_text("{"), "cannot be read"),
        (lambda saved: (saved / "dev%2Fa" / "plan.tfplan").write_bytes(b"x"), "not the file that was kept"),
        (lambda saved: (saved / "dev%2Fa" / "plan.tfplan").unlink(), "cannot be read"),
        (
            lambda saved: replace_plan(saved, lambda data, version: b"PK no plan"),
            "not a plan file, or it is damaged",
        ),
        (lambda saved: replace_plan(saved, of_version_zero), "was made by version 0."),
        (
            lambda saved: (saved / "manifest.json").write_text(
                json.dumps({**json.loads((saved / "manifest.json").read_text()), "version": 2})
            ),
            "has version 2",
        ),
    ],
)
def test_a_damaged_saved_plan_is_refused(infra: Infra, project: Repo, spoil: object, message: str) -> None:
    infra("plan", "dev/a", "--out", "plans", code=0)
    spoil(project.root / "plans")  # type: ignore[operator]
    ran = infra("apply", "--plan", "plans", "--auto-approve", code=1)
    assert message in ran.err
    assert not (project.root / "infra/envs/dev/a/terraform.tfstate").exists()


def test_out_does_not_write_over_somebody_elses_folder(infra: Infra, project: Repo) -> None:
    ran = infra("plan", "dev/a", "--out", "infra", code=3)
    assert "holds no saved plans" in ran.err


def test_the_options_of_terraform_reach_it(infra: Infra) -> None:
    ran = infra("plan", "dev/a", "--var", "word=given", "--json", code=0)
    values = {
        attribute["path"]: attribute["after"] for attribute in ran.stack("dev/a")["changes"][0]["attributes"]
    }
    assert values["input"] == "given"
    infra("apply", "dev/a", "--auto-approve", code=0)
    replaced = infra("plan", "dev/a", "--replace", "terraform_data.x", "--json", code=0)
    assert replaced.stack("dev/a")["counts"]["replace"] == 1
    targeted = infra("plan", "dev/a", "--var", "word=new", "--target", "terraform_data.x", "--json", code=0)
    assert targeted.stack("dev/a")["counts"]["update"] == 1
    assert "has terraform_data.none" in infra("plan", "dev/a", "--target", "terraform_data.none", code=3).err
    assert infra("plan", "dev/a", "--refresh-only", "--json", code=0).results == {"dev/a": "unchanged"}
    assert infra("plan", "dev/a", "--destroy", "--json", code=0).stack("dev/a")["counts"]["delete"] == 1


def test_a_secret_reaches_no_sink(infra: Infra, project: Repo) -> None:
    secret = "correct-horse-battery"
    project.write(
        {
            "infra/envs/dev/a/main.tf": f"""
            variable "db_password" {{
              default = "{secret}"
            }}
            resource "terraform_data" "x" {{
              input = {{ note = "pw ${{var.db_password}}", user = "ada", password = var.db_password }}
            }}
            output "x" {{
              value = terraform_data.x.output
            }}
            """
        }
    )
    for argv in (
        ("plan", "dev/a"),
        ("plan", "dev/a", "--json"),
        ("--debug", "plan", "dev/a"),
        ("apply", "dev/a", "--auto-approve"),
        ("state", "show", "dev/a", "terraform_data.x"),
        ("output", "dev/a"),
    ):
        ran = infra(*argv, code=0)
        assert secret not in ran.out + ran.err, argv
    assert "ada" in infra("state", "show", "dev/a", "terraform_data.x").out


def test_a_checkouts_own_terraform_folder_is_left_alone(infra: Infra, project: Repo) -> None:
    own = project.root / "infra/envs/dev/a/.terraform/terraform.tfstate"
    own.parent.mkdir()
    own.write_text("not ours")
    infra("apply", "dev/a", "--auto-approve", code=0)
    assert own.read_text() == "not ours"
    assert sorted(path.name for path in own.parent.iterdir()) == ["terraform.tfstate"]


def test_odd_names_are_only_names(make_repo: MakeRepo, terraform_argv: tuple[str, ...]) -> None:
    odd = make_repo(
        {
            ".gitignore": IGNORED,
            "infra/envs/dev/a b;$(touch x)'q/main.tf": ONE,
            "infra/envs/dev/-rf/main.tf": ONE,
        }
    )
    infra = Infra(odd.root, {})
    ran = infra("apply", "--all", "--auto-approve", "--confirm", "dev", "--json", code=0)
    assert ran.results == {"dev/-rf": "applied", "dev/a b;$(touch x)'q": "applied"}
    assert not list(odd.root.rglob("x"))


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (("plan", "deb"), 3, "Did you mean"),
        (("plan", "dev/q"), 3, "There is no stack"),
        (("plan", "../elsewhere"), 3, "outside the project"),
        (("plan", "--parallelism", "0"), 3, "--parallelism"),
        (("apply", "--plan", "nowhere"), 3, "does not exist"),
        (("output", "dev/a"), 1, "was never applied"),
        (("output", "dev"), 3, "means 3 stacks"),
        (("run", "dev/a"), 3, "which Terraform command"),
        (("fmt", "/"), 3, "outside the project"),
    ],
)
def test_bad_input_is_one_clear_error(infra: Infra, argv: tuple[str, ...], code: int, message: str) -> None:
    ran = infra(*argv, code=code)
    assert ran.err.count("error:") == 1
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_a_state_of_a_newer_terraform_is_refused(infra: Infra, project: Repo) -> None:
    infra("apply", "dev/a", "--auto-approve", code=0)
    path = project.root / "infra/envs/dev/a/terraform.tfstate"
    path.write_text(json.dumps({**json.loads(path.read_text()), "terraform_version": "99.0.0"}))
    ran = infra("plan", "dev/a", "--json", code=1)
    assert "written by version 99.0.0" in ran.stack("dev/a")["reason"]


def test_a_version_constraint_holds(infra: Infra, project: Repo) -> None:
    project.write({"infra.yaml": 'terraform: {version: "< 1.0"}\n'})
    assert "asks for" in infra("plan", "dev/a", code=3).err
    project.remove("infra.yaml")
    project.write({".terraform-version": "0.14.0\n"})
    assert ".terraform-version" in infra("plan", "dev/a", code=3).err


def test_run_gives_any_terraform_command_our_init(infra: Infra, project: Repo) -> None:
    infra("apply", "dev/a", "--auto-approve", code=0)
    assert infra("run", "dev/a", "--", "state", "list", code=0).out == "terraform_data.x\n"
    assert "\x1b" not in infra("run", "dev/a", "--", "plan", "-destroy", code=0).out
    assert infra("run", "--auto-approve", "dev/a", "--", "no-such-command").code == 1
    unasked = infra("run", "dev/a", "--", "state", "rm", "terraform_data.x", code=4)
    assert "--auto-approve" in unasked.err
    assert infra("state", "list", "dev/a", code=0).out == "terraform_data.x\n"
    infra("run", "--auto-approve", "dev/a", "--", "state", "rm", "terraform_data.x", code=0)
    assert infra("state", "list", "dev/a", code=0).out == ""
    (status,) = infra("status", "dev/a", "--json", code=0).document["stacks"]
    assert (status["status"], status["last"]["result"]) == ("pending", "modified")
    assert status["why"] == "`infra run` has changed its state"
    (run, *_) = infra("history", "--json", code=0).document["runs"]
    assert (run["command"], run["stacks"][0]["reason"]) == ("run", "terraform state rm")


def test_run_honours_what_an_apply_does(infra: Infra, project: Repo) -> None:
    """Protection, `apply: ci`, infra's own commands; what leaves the state alone leaves no trace."""
    infra("apply", "dev/a", "prod/a", "--auto-approve", "--confirm", "prod", code=0)
    for line in ("apply -auto-approve", "destroy -auto-approve", "refresh", "force-unlock 1"):
        assert "`infra " in infra("run", "dev/a", "--", *line.split(), code=3).err
    assert "workspace" in infra("run", "dev/a", "--", "workspace", "list", code=3).err
    taint = ("--auto-approve", "prod/a", "--", "taint", "terraform_data.x")
    assert "prod is protected" in infra("run", *taint, code=4).err
    infra("run", "--confirm", "prod", "--auto-approve", "prod/a", "--", "state", "rm", "-dry-run", "x.y")
    (status,) = infra("status", "prod/a", "--json", code=0).document["stacks"]
    assert (status["status"], status["last"]["result"]) == ("up-to-date", "applied")
    project.write({"infra.yaml": "environments: {dev: {apply: ci}, prod: {protected: true, apply: ci}}\n"})
    for line in ("apply -auto-approve", "state rm terraform_data.x", "frobnicate"):
        assert (
            "Only CI applies to prod"
            in infra("run", "--auto-approve", "--confirm", "prod", "prod/a", "--", *line.split(), code=4).err
        )
    assert infra("run", "prod/a", "--", "state", "list", code=0).out == "terraform_data.x\n"
    infra("run", "--break-glass", "it burns", "--confirm", "prod", *taint, code=0)
    (status,) = infra("status", "prod/a", "--json", code=0).document["stacks"]
    assert status["break_glass"] == "it burns"


def test_fmt_finds_and_repairs(infra: Infra, project: Repo) -> None:
    project.write({"infra/envs/dev/c/more.tf": "locals {\n a = 1\n  bcd = 2\n}\n"})
    ran = infra("fmt", "--check", code=1)
    assert ran.out == "infra/envs/dev/c/more.tf\n"
    assert "+  a   = 1" in infra("fmt", "--check", "--diff", code=1).out
    assert infra("fmt", code=0).out == "infra/envs/dev/c/more.tf\n"
    infra("fmt", "--check", code=0)


def test_doctor_looks_at_everything(infra: Infra, tmp_path: Path) -> None:
    checks = {
        check["name"]: check["status"] for check in infra("doctor", "--json", code=0).document["checks"]
    }
    assert checks["terraform"] == "ok"
    assert checks["git"] == "ok"
    outside = tmp_path / "outside"
    outside.mkdir()
    assert Infra(outside, {})("doctor", "--json").code == 1


def test_doctor_reports_what_terraform_is_given(project: Repo, terraform_argv: tuple[str, ...]) -> None:
    env = {"TF_VAR_password": "hunter2", "TF_VAR_word": "x"}
    ran = Infra(project.root, env)("doctor", code=0)
    assert "every stack gets TF_VAR_password, TF_VAR_word" in ran.out
    assert "hunter2" not in ran.out


def test_doctor_knows_a_shallow_clone(
    infra: Infra, project: Repo, tmp_path: Path, terraform_argv: tuple[str, ...]
) -> None:
    assert "a shallow clone" not in infra("doctor", code=0).out
    project.commit(message="Second")
    project.git("clone", "-q", "--depth", "1", f"file://{project.root}", str(tmp_path / "shallow"))
    ran = Infra(tmp_path / "shallow", {})("doctor", code=0)
    assert "a shallow clone" in ran.out
    assert "git fetch --unshallow" in ran.out


def test_doctor_misses_the_sandbox_that_we_are_attached_to(infra: Infra, tmp_path: Path) -> None:
    elsewhere = Infra(infra.root, {"INFRA_SANDBOX": str(tmp_path / "gone")})
    assert "where none runs any more" in elsewhere("doctor", code=1).out
    (check,) = [check for check in infra("doctor", "--json").document["checks"] if check["name"] == "sandbox"]
    assert check["status"] == "ok"


def test_debug_shows_commands_without_secrets(infra: Infra) -> None:
    ran = infra("--debug", "plan", "dev/a", "--var", "word=one", "--var", "api_token=tok-123456", code=1)
    line = next(line for line in ran.err.splitlines() if line.startswith("+") and " plan " in line)
    assert "-detailed-exitcode" in line
    assert "-var=word=one" in line
    assert "tok-123456" not in ran.err
    assert "TF_DATA_DIR" in ran.err


def test_version_names_terraform(infra: Infra) -> None:
    terraform = infra("version", "--json", code=0).document["terraform"]
    assert terraform["product"] == "Terraform"
    assert terraform["version"][0] == "1"


def test_what_terraform_finds_wrong_is_shown_whole_and_once(infra: Infra, project: Repo) -> None:
    bad = """
        resource "terraform_data" "bad" {
          input = local.nope
        }
        resource "terraform_data" "worse" {
          inpt = "two"
        }
    """
    project.write({"infra/envs/dev/a/bad.tf": bad})
    ran = infra("plan", "dev/a", code=1)
    assert ran.out.count("Error: Reference to undeclared local value") == 1
    assert ran.out.count("Error: Unsupported argument") == 1
    assert "on infra/envs/dev/a/bad.tf:2" in ran.out
    assert "input = local.nope" in ran.out
    assert "has not been declared" in ran.out
    assert not set("╷│╵") & set(ran.out)
    (first, second) = infra("plan", "dev/a", "--json", code=1).stack("dev/a")["diagnostics"]
    assert (first["line"], second["line"]) == (2, 5)
    assert second["file"] == "infra/envs/dev/a/bad.tf"


class HttpStateHandler(BaseHTTPRequestHandler):
    """A backend of Terraform's `http` kind that holds one state."""

    states: ClassVar[list[bytes]] = []

    def do_GET(self) -> None:
        self.send_response(200 if self.states else 404)
        self.end_headers()
        self.wfile.write(self.states[-1] if self.states else b"")

    def do_POST(self) -> None:
        self.states.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_state_where_we_cannot_look_is_left_to_terraform(infra: Infra, project: Repo) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), HttpStateHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        backend = f'terraform {{\n  backend "http" {{\n    address = "{address}"\n  }}\n}}\n'
        project.write({"infra/envs/dev/a/backend.tf": backend})
        assert "Its state lies in http" in infra("plan", "dev/a", code=0).out
        assert infra("apply", "dev/a", "--auto-approve", "--json").results == {"dev/a": "applied"}
        assert infra("plan", "dev/a", "--json").results == {"dev/a": "unchanged"}
        ran = infra("destroy", "dev/a", "--auto-approve", "--allow-destroy", "--json")
        assert ran.results == {"dev/a": "destroyed"}
        server.shutdown()
    # A backend that the code no longer has is no obstacle.
    project.remove("infra/envs/dev/a/backend.tf")
    assert infra("plan", "dev/a", "--json", code=0).results == {"dev/a": "changed"}


def test_a_stack_that_hcp_terraform_runs_is_refused(infra: Infra, project: Repo) -> None:
    project.write({"infra/envs/dev/a/cloud.tf": 'terraform {\n  cloud {\n    organization = "x"\n  }\n}\n'})
    ran = infra("plan", "dev/a", "dev/c", "--json", code=3)
    assert ran.results == {"dev/a": "failed", "dev/c": "changed"}
    assert "`cloud` block" in ran.stack("dev/a")["reason"]
