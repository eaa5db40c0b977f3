"""What the client gives to Terraform."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import BinaryError, ProjectError
from orchestrator.process import Supervisor
from orchestrator.terraform.binary import Binary
from orchestrator.terraform.client import Client, expand_dangling_folders


def test_a_link_to_nothing_hides_no_other_file(tmp_path: Path) -> None:
    for name in ("a/main.tf", "a/.terraform/x.tf", "b/main.tf", "b/c/terraform.tfvars", "b/notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b/terraform.tfvars").symlink_to("../missing.tfvars")
    (tmp_path / "a/notes.md").symlink_to("nowhere")
    paths = expand_dangling_folders([tmp_path / "a", tmp_path / "b", tmp_path / "b/main.tf"])
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "a",
        "b/main.tf",
        "b/c/terraform.tfvars",
        "b/main.tf",
    ]


def test_nothing_is_formatted_where_a_link_leads_out(tmp_path: Path) -> None:
    """No program runs: this one is not there."""
    root = tmp_path / "root"
    (root / "infra").mkdir(parents=True)
    (tmp_path / "outside.tf").write_text("a=1\n")
    client = Client(Binary(("nosuch",), "1", "terraform", "PATH", Path("nosuch")), Supervisor(), tmp_path)
    link = root / "infra/a.tf"
    link.symlink_to(tmp_path / "nowhere.tf")
    with pytest.raises(BinaryError):
        client.fmt(root, {}, [root / "infra"])
    link.unlink()
    link.symlink_to(tmp_path / "outside.tf")
    with pytest.raises(ProjectError, match=r"infra/a\.tf leads out"):
        client.fmt(root, {}, [root / "infra"])
    (root / "linked").symlink_to(tmp_path)
    with pytest.raises(ProjectError, match="linked leads out"):
        client.fmt(root, {}, [root / "linked"])
