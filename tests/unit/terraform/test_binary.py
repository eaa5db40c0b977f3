"""Which Terraform is found, and what is known of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.errors import BinaryError
from orchestrator.process import Command, Completed, Supervisor
from orchestrator.process.command import OnLine, OnStart
from orchestrator.terraform import embedded
from orchestrator.terraform.binary import Binary, check_version, find_binary


def program(path: Path, output: str = "Terraform v1.11.4", code: int = 0) -> Path:
    """A script that answers as `version` does, and counts how often it is asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho x >> '{path}.asked'\necho '{output}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def find(configured: str | None, *folders: Path, root: Path | None = None, cache: Path) -> Binary:
    env = {"PATH": os.pathsep.join(map(str, folders))}
    return find_binary(configured, env, Supervisor(), cache, root=root)


def test_the_order_is_configured_terraform_tofu(tmp_path: Path) -> None:
    bin_dir = tmp_path / "bin"
    tofu = program(bin_dir / "tofu", "OpenTofu v1.12.6")
    binary = find(None, bin_dir, cache=tmp_path / "c")
    assert (binary.path, binary.flavour, binary.version, binary.source) == (tofu, "tofu", "1.12.6", "PATH")
    assert binary.product == "OpenTofu"
    terraform = program(bin_dir / "terraform")
    binary = find(None, bin_dir, cache=tmp_path / "c")
    assert (binary.path, binary.flavour, binary.source) == (terraform, "terraform", "PATH")
    binary = find("tofu", bin_dir, cache=tmp_path / "c")
    assert (binary.path, binary.source) == (tofu, "configured")


def test_a_configured_path_is_relative_to_the_root(tmp_path: Path) -> None:
    own = program(tmp_path / "tools" / "tf", "Terraform v1.12.0-beta1\non linux_amd64")
    binary = find("./tools/tf", root=tmp_path, cache=tmp_path / "c")
    assert (binary.path, binary.version) == (own, "1.12.0-beta1")


def test_a_configured_binary_that_is_missing_is_an_error(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "terraform")
    with pytest.raises(BinaryError, match=r"names tf-1\.2") as raised:
        find("tf-1.2", tmp_path / "bin", cache=tmp_path / "c")
    assert raised.value.key == "terraform.binary"


def test_the_javascript_wrapper_is_passed_by(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "terraform", "wrapped")
    real = program(tmp_path / "bin" / "terraform-bin")
    assert find(None, tmp_path / "bin", cache=tmp_path / "c").path == real


@pytest.mark.parametrize(("output", "code"), [("hello", 0), ("Terraform v1.11.4", 1), ("", 127)])
def test_what_is_not_terraform_is_reported(tmp_path: Path, output: str, code: int) -> None:
    program(tmp_path / "bin" / "terraform", output, code)
    with pytest.raises(BinaryError, match="does not behave as Terraform"):
        find(None, tmp_path / "bin", cache=tmp_path / "c")


class HangingSupervisor(Supervisor):
    """Ends every command at its deadline, as one that ignores each signal but the last."""

    def run(
        self, command: Command, on_line: OnLine | None = None, on_start: OnStart | None = None
    ) -> Completed:
        assert command.deadline is not None
        return Completed(command.argv, -9, b"", b"", command.deadline, ended="deadline")


def test_a_program_that_does_not_answer_is_named(tmp_path: Path) -> None:
    terraform = program(tmp_path / "bin" / "terraform")
    with pytest.raises(BinaryError, match=r"did not answer to `version` within 60 seconds") as raised:
        find_binary(None, {"PATH": str(terraform.parent)}, HangingSupervisor(), tmp_path / "c")
    assert str(terraform) in raised.value.message
    assert "terraform.binary" in raised.value.advice


def test_a_script_is_queried_each_time_since_it_may_be_a_version_manager(tmp_path: Path) -> None:
    terraform = program(tmp_path / "bin" / "terraform")
    for _ in range(2):
        find(None, tmp_path / "bin", cache=tmp_path / "c")
    assert Path(f"{terraform}.asked").read_text() == "x\nx\n"


def test_a_real_binary_is_queried_once(
    terraform_argv: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = find(terraform_argv[0], cache=tmp_path)

    def run(*arguments: object) -> None:
        raise AssertionError("it was asked again")

    if (tmp_path / "binary-versions.json").exists():
        monkeypatch.setattr(Supervisor, "run", run)
        assert find(terraform_argv[0], cache=tmp_path) == first


def test_without_any_the_embedded_one_is_used(
    embedded_argv: tuple[str, ...], tmp_path: Path, child_env: dict[str, str]
) -> None:
    binary = find_binary(None, {"PATH": str(tmp_path)}, Supervisor(), tmp_path / "cache with 'space'")
    assert (binary.source, binary.flavour) == ("embedded", "terraform")
    assert binary.version.startswith("1.")
    assert os.access(binary.path, os.X_OK)


def test_without_the_embedded_wheel_the_advice_states_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "find_library", lambda: None)
    with pytest.raises(BinaryError) as raised:
        find_binary(None, {"PATH": str(tmp_path)}, Supervisor(), tmp_path / "c")
    assert "infra-orchestrator[embedded]" in raised.value.advice


def test_version_checks_name_the_location() -> None:
    binary = Binary(("tf",), "1.11.4", "terraform", "PATH", Path("/bin/tf"))
    check_version(binary, ">= 1.11", "infra.yaml")
    with pytest.raises(BinaryError, match=r"modules/a asks for Terraform ~> 1.12, and /bin/tf is 1.11.4"):
        check_version(binary, "~> 1.12", "modules/a")
    with pytest.raises(BinaryError, match="is wrong"):
        check_version(binary, "newest", "infra.yaml")


@pytest.mark.parametrize(
    ("state", "older"),
    [("1.11.5", True), ("1.11.4", False), ("1.9.0", False), ("1.12.0-beta1", True), ("", False)],
)
def test_a_state_of_a_newer_terraform(state: str, older: bool) -> None:
    binary = Binary(("tf",), "1.11.4", "terraform", "PATH", Path("/bin/tf"))
    assert binary.is_older_than(state) is older


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_program_in_the_cache_that_is_not_ours_is_replaced(tmp_path: Path, kind: str) -> None:
    """The cache lies in the checkout, and a pull request may bring a file of that name."""
    if embedded.find_library() is None:
        pytest.skip("the embedded Terraform has no wheel for this machine")
    embedded_executable = embedded.embedded_executable(tmp_path)
    script = embedded_executable.read_text()
    if kind == "link":
        (tmp_path / "other").write_text(script)
        (tmp_path / "other").chmod(0o755)
        embedded_executable.unlink()
        embedded_executable.symlink_to(tmp_path / "other")
    else:
        embedded_executable.write_text("#!/bin/sh\necho of the pull request\n")
    assert embedded.embedded_executable(tmp_path) == embedded_executable
    assert (embedded_executable.is_symlink(), embedded_executable.read_text()) == (False, script)
