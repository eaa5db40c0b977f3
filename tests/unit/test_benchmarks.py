"""Pictures that benchmarks draw from their committed figures."""

from __future__ import annotations

import json

from bench.comparison_plot import BARE, DATA, PICTURE, plot_ratios, render_svg


def test_the_picture_of_the_comparison_shows_the_committed_figures() -> None:
    """`python -m bench.comparison_plot` draws it again."""
    assert PICTURE.read_text() == render_svg(plot_ratios(json.loads(DATA.read_text())))


def test_ratios_are_medians_of_the_rounds() -> None:
    def series(way: str, *seconds: float, stacks: int = 10) -> dict[str, object]:
        samples = [{"cpu": value, "wall": 1.0, "memory": 1.0} for value in seconds]
        return {"shape": "chain", "stacks": stacks, "changed": 10, "way": way, "samples": samples}

    small = series(BARE, 1.0, stacks=1)
    plot = plot_ratios({"series": [small, series(BARE, 1.0, 2.0, 4.0), series("<infra>", 2.0, 2.0, 2.0)]})
    assert (plot.labels, plot.values) == (("10, chain, 10 %",), ((1.0, 1.0),))
    svg = render_svg(plot)
    assert "&lt;infra&gt;" in svg
    # Two in the key, and a point for each way.
    assert svg.count("<circle ") == 4
