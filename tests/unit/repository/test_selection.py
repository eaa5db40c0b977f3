"""Which stacks names, --exclude and --tag leave."""

from __future__ import annotations

import pytest

from orchestrator.errors import UsageError
from orchestrator.repository.loading import load
from orchestrator.repository.selection import make_filter
from tests.conftest import MakeRepo

FILES = {f"infra/envs/{name}/main.tf": "" for name in ("dev/net", "dev/app", "prod/net", "prod/app")}
TAGS = "tags: {network: ['*/net']}\n"


@pytest.mark.parametrize(
    ("excluded", "tags", "left"),
    [
        ((), (), "dev/app dev/net prod/app prod/net"),
        (("prod",), (), "dev/app dev/net"),
        (("*/net", "dev/app"), (), "prod/app"),
        ((), ("network",), "dev/net prod/net"),
        (("prod/net",), ("network",), "dev/net"),
        (("**",), (), ""),
    ],
)
def test_what_is_left(
    make_repo: MakeRepo, excluded: tuple[str, ...], tags: tuple[str, ...], left: str
) -> None:
    project = load(make_repo({**FILES, "infra.yaml": TAGS}).root)
    is_selected = make_filter(project, excluded, tags)
    assert sorted(filter(is_selected, project.stacks)) == left.split()


@pytest.mark.parametrize(("excluded", "tags"), [(("nosuch",), ()), ((), ("nosuch",))])
def test_a_name_that_means_nothing_is_refused(
    make_repo: MakeRepo, excluded: tuple[str, ...], tags: tuple[str, ...]
) -> None:
    project = load(make_repo({**FILES, "infra.yaml": TAGS}).root)
    with pytest.raises(UsageError, match="nosuch"):
        make_filter(project, excluded, tags)
