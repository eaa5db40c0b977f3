"""docs/layouts.md shows for each layout the infra.yaml that `infra init` writes; docs/adopt.md counts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.config import Config
from orchestrator.repository.layout_survey import Answers, survey
from orchestrator.scaffold.init import InitRequest, render_settings
from tests.support.layouts import LAYOUTS, ExampleLayout
from tests.support.memory_tree import memory_tree, source_of

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "layouts.md"
FIGURES = re.findall(
    r"^\| (.+) \| (\d) \| (\d)(?: \(.+\))? \| (.+) \|$",
    (DOCS / "adopt.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def settings_of(layout: ExampleLayout) -> str:
    """The infra.yaml that `infra init` writes with the layout's answers."""
    source = source_of(memory_tree(layout.files, layout.links), Config())
    (surveyed,) = survey(source, Answers(layout.environments)).layouts
    return render_settings(InitRequest(None, None, surveyed))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.heading)
def test_the_page_shows_what_is_written(layout: ExampleLayout) -> None:
    text = settings_of(layout)
    section = PAGE.read_text(encoding="utf-8").partition(f"## {layout.heading}\n")[2].partition("\n## ")[0]
    assert re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)[0] == text.split("\n", 1)[1]
    assert all(f"`{stack}`" in section for stack in layout.stacks)


@pytest.mark.parametrize(("layout", "figures"), list(zip(LAYOUTS, FIGURES, strict=True)))
def test_the_figures_are_those_of_the_layouts(layout: ExampleLayout, figures: tuple[str, ...]) -> None:
    """One command, one answer where the files do not say which environments there are, and these keys."""
    _, commands, answers, keys = figures
    assert (commands, answers) == ("1", "1" if layout.environments else "0")
    written = set(re.findall(r"^(\w+):", settings_of(layout), re.MULTILINE)) - {"version"}
    assert {name.partition(".")[0] for name in re.findall(r"`([\w.]+)`", keys)} == written
