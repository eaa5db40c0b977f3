"""Each layout of docs/layouts.md from a clone to a plan: one command, one answer at most."""

from __future__ import annotations

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.layouts import LAYOUTS, ExampleLayout

pytestmark = pytest.mark.usefixtures("terraform_argv")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.heading)
def test_from_a_clone_to_a_plan(make_repo: MakeRepo, layout: ExampleLayout) -> None:
    repo = make_repo(layout.files)
    for path, target in layout.links.items():
        (repo.root / path).symlink_to(target)
    infra = Infra(repo.root, {})
    assert "infra init" in infra("plan", "--all", code=3).err
    infra(*layout.argv, code=0)
    assert sorted(stack["id"] for stack in infra("list", "--json").document["stacks"]) == sorted(
        layout.stacks
    )
    first = layout.stacks[0]
    assert infra("plan", first, "--json").results == {first: "changed"}
