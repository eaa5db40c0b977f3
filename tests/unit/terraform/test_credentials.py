"""Which account a provider would use."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.terraform.credentials import account_identity


@pytest.mark.parametrize(
    "name",
    [".aws/credentials", ".aws/sso/cache/login.json", ".config/gcloud/active_config", ".kube/config"],
)
def test_a_login_is_another_account(tmp_path: Path, name: str) -> None:
    env = {"HOME": str(tmp_path)}
    before = account_identity(env)
    assert account_identity(env) == before
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text("first")
    first = account_identity(env)
    assert first != before
    path.write_text("second")
    assert account_identity(env) != first


def test_files_that_variables_name_are_part_of_it_and_what_they_hold_is_not(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for path in files:
        path.write_text("hunter2")
    env = {"KUBECONFIG": ":".join(map(str, files)), "GOOGLE_PROJECT": "x", "ODD": "/" + "x" * 5000 + ":\0"}
    before = account_identity(env)
    assert "hunter2" not in str(before)
    files[1].write_text("another")
    assert account_identity(env) != before
