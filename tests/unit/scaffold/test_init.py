"""Names that `infra init` writes into files."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ProjectError, UsageError
from orchestrator.scaffold.init import check_names, write_files


@pytest.mark.parametrize("bucket", ["acme-state", "a.b.example", "a1_2", ""])
@pytest.mark.parametrize("trunk", ["main", "release/1.x", "feature+x", None])
@pytest.mark.parametrize("owner", ["@acme/platform", "@olga", "@a-b/c.d_e", "ops@example.com"])
def test_names_that_can_be(bucket: str, trunk: str | None, owner: str) -> None:
    check_names(bucket, trunk, [owner])


@pytest.mark.parametrize("bucket", ["B A D", "Acme", "a", "-ab", "ab-", "a/b", "gs://ab", "a\nb", "a" * 300])
def test_no_bucket(bucket: str) -> None:
    with pytest.raises(UsageError, match="is no name of a bucket"):
        check_names(bucket, None, [])


@pytest.mark.parametrize(
    "trunk", ["a..b", "", "-x", "a b", "a:b", "/a", "a/", "a//b", "x.lock", "@{u}", "a~1", "."]
)
def test_no_branch(trunk: str) -> None:
    with pytest.raises(UsageError, match="is no name of a branch"):
        check_names("", trunk, [])


@pytest.mark.parametrize(
    "owner", ["platform", "", "@", "@a b", "acme/platform", "@a/b/c", "a@b", "@a\n* @mallory"]
)
def test_nobody(owner: str) -> None:
    with pytest.raises(UsageError, match="is nobody whom CODEOWNERS can name"):
        check_names("", None, ["@olga", owner])


def test_nothing_is_written_where_a_link_leads_out_of_the_project(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / ".github").symlink_to(outside)
    with pytest.raises(ProjectError, match="leads out of the project"):
        write_files(root, {".github/workflows/infra-plan.yml": "on: push\n"})
    assert not any(outside.iterdir())
