"""docs/query.md and docs/metrics.md have every question, view and figure, as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from orchestrator.insight.metrics import METRICS
from orchestrator.insight.prometheus import metric_names
from orchestrator.insight.questions import QUESTIONS
from orchestrator.insight.schema import VIEWS, View

PAGE = (Path(__file__).parents[3] / "docs" / "query.md").read_text(encoding="utf-8")


def test_every_question_is_documented() -> None:
    rows = re.findall(r"^\| (.*\?) \| `infra query ([^`]+)` \|$", PAGE, re.MULTILINE)
    assert rows == [(question.text, question.usage) for question in QUESTIONS]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: str(view.name))
def test_every_view_is_documented(view: View) -> None:
    part = PAGE.partition(f"### {view.name}\n")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `(\w+)` \| (.*) \|$", part, re.MULTILINE) == list(view.columns.items())


METRICS_PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
DASHBOARD = Path(__file__).parents[3] / "docs" / "grafana" / "infra.json"
# Words of PromQL that are no metrics.
PROMQL = {"by", "max", "sum", "avg", "time", "environment", "owner", "without", "clamp_min"}


def test_every_figure_has_its_definition_on_the_page() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", METRICS_PAGE, re.MULTILINE)
    assert [(key, text) for key, text, _ in rows] == [(metric.key, metric.text) for metric in METRICS]
    assert all(source.endswith(".") for _, _, source in rows)


def test_the_dashboard_shows_metrics_that_exist() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    terms: set[str] = set()
    for expression in expressions:
        assert expression.count("(") == expression.count(")")
        bare = re.sub(r'"(\\.|[^"\\])*"', "", expression)
        words = set(re.findall(r"[a-z_]\w*", re.sub(r"\$\w+", "", bare)))
        assert words - PROMQL <= set(metric_names()), expression
        terms |= words
    assert {f"infra_{metric.key}" for metric in METRICS} <= terms
    queries = [
        variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"
    ]
    assert queries == [
        "label_values(infra_environment_visible, environment)",
        "label_values(infra_stacks, owner)",
    ]
