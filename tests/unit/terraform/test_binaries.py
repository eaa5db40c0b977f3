"""Which Terraform runs in a root: the default where it fits, one that is configured, or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import BinaryError
from orchestrator.terraform.binaries import Binaries, Constraint, version_file
from orchestrator.terraform.binary import Binary


def _binary(version: str, name: str = "terraform") -> Binary:
    """An embedded one counts as a program, whatever lies at its path."""
    return Binary((f"/opt/{name}",), version, "terraform", "embedded", Path(f"/opt/{name}"))


def _binaries(default: str = "1.11.4", **configured: str) -> Binaries:
    """`configured` maps a program's name to its version, as `v1_9_8="1.9.8"`."""
    return Binaries(
        _binary(default),
        {version: name for name, version in configured.items()},
        lambda program: _binary(configured[program], program),
        lambda binary, folder: binary,
    )


@pytest.mark.parametrize(
    ("constraint", "version"),
    [
        (">= 1.11", "1.11.4"),
        ("= 1.9.8", "1.9.8"),
        ("~> 1.9.0", "1.9.8"),
        ("< 1.11", "1.10.5"),
    ],
)
def test_the_default_where_it_fits_else_the_newest_that_does(constraint: str, version: str) -> None:
    binaries = _binaries(old="1.9.8", middle="1.10.5")
    assert binaries.choose([Constraint(constraint, "x")], Path("/repo")).version == version


def test_all_constraints_hold_at_once() -> None:
    binaries = _binaries(old="1.9.8", middle="1.10.5")
    both = [Constraint("< 1.11", "a"), Constraint("!= 1.10.5", "b")]
    assert binaries.choose(both, Path("/repo")).version == "1.9.8"


def test_what_fits_nothing_names_who_asks_for_it() -> None:
    with pytest.raises(BinaryError, match=r"dev/old/\.terraform-version asks for Terraform = 1\.8\.0"):
        _binaries(old="1.9.8").choose([Constraint("= 1.8.0", "dev/old/.terraform-version")], Path("/repo"))


def test_a_program_that_is_not_what_it_is_called_is_refused() -> None:
    binaries = Binaries(
        _binary("1.11.4"), {"1.9.8": "old"}, lambda program: _binary("1.9.7"), lambda binary, folder: binary
    )
    with pytest.raises(BinaryError, match=r"calls /opt/terraform 1\.9\.8, and it is 1\.9\.7"):
        binaries.choose([Constraint("= 1.9.8", "x")], Path("/repo"))


def test_a_version_manager_is_queried_in_the_folder(tmp_path: Path) -> None:
    script = tmp_path / "terraform"
    script.write_text("#!/bin/sh\n")
    manager = Binary((str(script),), "1.11.4", "terraform", "PATH", script)
    paths: list[Path] = []

    def ask(binary: Binary, folder: Path) -> Binary:
        paths.append(folder)
        return _binary("1.9.8")

    binaries = Binaries(manager, {}, lambda program: manager, ask)
    assert binaries.choose([Constraint(">= 1.11", "x")], tmp_path) is manager
    assert paths == []
    for _ in range(2):
        assert binaries.choose([Constraint("= 1.9.8", "x")], tmp_path).version == "1.9.8"
    assert paths == [tmp_path]


def test_the_nearest_version_file_counts(tmp_path: Path) -> None:
    folder = tmp_path / "infra/envs/dev/old"
    folder.mkdir(parents=True)
    assert version_file(tmp_path, folder) is None
    (tmp_path / ".terraform-version").write_text("1.11.4\n")
    assert version_file(tmp_path, folder) == Constraint("= 1.11.4", ".terraform-version")
    (folder.parent / ".terraform-version").write_text("latest\n")
    assert version_file(tmp_path, folder) is None
    (folder / ".terraform-version").write_text("v1.9.8 # pinned\n")
    assert version_file(tmp_path, folder) == Constraint("= 1.9.8", "infra/envs/dev/old/.terraform-version")


def test_a_version_file_without_a_version_is_named(tmp_path: Path) -> None:
    (tmp_path / ".terraform-version").write_text("newest\n")
    with pytest.raises(BinaryError, match="holds no version"):
        version_file(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("own", "written_by", "older"),
    [
        ("1.11.4", "1.11.4", False),
        ("1.11.4-dev", "1.11.4", False),
        ("1.12.0-beta1", "1.12.0", False),
        ("1.11.4", "1.12.0-beta1", True),
        ("1.11.3", "1.11.4", True),
        ("1.11.4", "nonsense", False),
    ],
)
def test_prereleases_compare_by_their_release(own: str, written_by: str, older: bool) -> None:
    assert _binary(own).is_older_than(written_by) is older
