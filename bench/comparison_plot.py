"""Draws docs/comparison.svg from bench/comparison.json: `python -m bench.comparison_plot`.

CPU time of each way to plan, as a ratio to bare Terraform in the same round, for projects of ten stacks and
more: with fewer, the start of infra is all that there is to see.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from orchestrator.portal.plots import Plot, make_lines

DATA = Path(__file__).with_name("comparison.json")
PICTURE = Path(__file__).parents[1] / "docs" / "comparison.svg"
FEWEST_STACKS = 10
BARE = "xargs"
COLORS = ("#6b7280", "#d97706", "#2563eb", "#059669", "#7c3aed", "#db2777", "#0891b2")

SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -44 650 208" role="img" aria-label="{{ plot.title }}">
<rect x="0" y="-44" width="650" height="208" fill="#fff"/>
<g font-family="system-ui,sans-serif" font-size="9" fill="#374151">
<text x="6" y="-30" font-size="11">{{ plot.title }}</text>
{% for name in plot.series -%}
<circle cx="{{ 10 + loop.index0 * 90 }}" cy="-15" r="3" fill="{{ colors[loop.index0] }}"/>
<text x="{{ 16 + loop.index0 * 90 }}" y="-12">{{ name }}</text>
{% endfor -%}
{% for tick in plot.grid -%}
<line stroke="#d1d5db" x1="44" x2="640" y1="{{ tick.at }}" y2="{{ tick.at }}"/>
<text x="38" y="{{ tick.at + 3 }}" text-anchor="end">{{ tick.text }}</text>
{% endfor -%}
{% for line in plot.lines -%}
{% for point in line.points.split() -%}
{% set x, y = point.split(",") -%}
<circle cx="{{ x }}" cy="{{ y }}" r="4" fill="{{ colors[line.series] }}"/>
{% endfor -%}
{% endfor -%}
{% for tick in plot.marks -%}
<text x="{{ tick.at }}" y="154" text-anchor="middle">{{ tick.text }}</text>
{% endfor -%}
</g>
</svg>
"""


def plot_ratios(document: Mapping[str, Any]) -> Plot:
    """The ratios of CPU time in a document of `bench.comparison`: a label for each project."""
    projects: dict[str, dict[str, list[float]]] = {}
    for series in document["series"]:
        if series["stacks"] >= FEWEST_STACKS:
            label = f"{series['stacks']}, {series['shape']}, {series['changed']} %"
            seconds = [sample["cpu"] for sample in series["samples"]]
            projects.setdefault(label, {})[series["way"]] = seconds
    ways = list(dict.fromkeys(way for seconds in projects.values() for way in seconds))
    values = [[_ratio(seconds.get(way), seconds[BARE]) for way in ways] for seconds in projects.values()]
    title = "CPU time as a ratio to xargs terraform plan, by stacks, shape and part that is changed"
    return make_lines(title, list(projects), ways, values)


def _ratio(seconds: list[float] | None, bare: list[float]) -> float | None:
    """The median of the ratios of the rounds; None for a way that was not measured."""
    if seconds is None:
        return None
    return statistics.median(own / other for own, other in zip(seconds, bare, strict=True))


def render_svg(plot: Plot) -> str:
    """A plot as a file of its own, with its colours inside: a page of GitHub has no style sheet for it."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(SVG).render(plot=plot, colors=COLORS)


def main() -> int:
    """Write the picture."""
    PICTURE.write_text(render_svg(plot_ratios(json.loads(DATA.read_text()))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
