"""What the client gives to Terraform."""

from __future__ import annotations

from pathlib import Path

from orchestrator.terraform.client import expand_dangling_folders


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
