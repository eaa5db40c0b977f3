"""Ids as file names, where states lie, and that no two stacks share one."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ProjectError
from orchestrator.repository.loading import load
from orchestrator.repository.model import encode_id
from orchestrator.state.backends import gcs_url
from tests.conftest import MakeRepo


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_an_id_is_one_file_name(stack: str) -> None:
    name = encode_id(stack)
    assert "/" not in name
    assert len(name.encode()) <= 200
    if "~" not in name.removeprefix(stack):
        assert unquote(name) == stack


def test_long_ids_stay_apart() -> None:
    first, other = encode_id("dev/" + "ä" * 300), encode_id("dev/" + "ä" * 301)
    assert first != other
    assert max(len(first), len(other)) <= 200


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ("dev/network", "dev%2Fnetwork"),
        ("dev/a b;$(x)", "dev%2Fa%20b%3B%24%28x%29"),
        ("dev/..", "dev%2F.."),
    ],
)
def test_encoding(stack: str, expected: str) -> None:
    assert encode_id(stack) == expected


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("a/b", "gs://x/a/b/default.tfstate"),
        ("/a/b/", "gs://x/a/b/default.tfstate"),
        ("a//b/./c", "gs://x/a/b/c/default.tfstate"),
        ("", "gs://x/default.tfstate"),
        ("/", "gs://x/default.tfstate"),
    ],
)
def test_prefixes_as_terraform_joins_them(prefix: str, expected: str) -> None:
    assert gcs_url("x", prefix) == expected


def test_of_two_stacks_on_one_state_none_is_worked_on(make_repo: MakeRepo) -> None:
    code = 'terraform {\n  backend "gcs" {\n    bucket = "b"\n    prefix = "%s"\n  }\n}\n'
    prefixes = {"a": "p", "b": "/p/", "c": "q"}
    files = {f"infra/envs/dev/{name}/main.tf": code % prefix for name, prefix in prefixes.items()}
    project = load(make_repo(files).root)
    project.require(["dev/c"])
    for stack, other in (("dev/a", "dev/b"), ("dev/b", "dev/a")):
        with pytest.raises(ProjectError, match=f"{stack} shares its state with {other}"):
            project.require([stack])
