"""A Helm chart of the repository that a stack installs counts as read by the stack."""

from __future__ import annotations

import pytest

from orchestrator.repository.affected import find_affected
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo

CHART = {
    "charts/web/Chart.yaml": "name: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "replicas: 1\n",
    "charts/web/templates/deployment.yaml": "kind: Deployment\n",
    "charts/other/Chart.yaml": "name: other\nversion: 1.0.0\n",
}
RELEASE = 'resource "helm_release" "web" {{\n  name  = "web"\n  chart = {}\n}}\n'
LOCAL = 'locals {\n  chart = "${path.module}/../../../../charts/web"\n}\n'


@pytest.mark.parametrize(
    ("chart", "path", "is_affected"),
    [
        ('"${path.module}/../../../../charts/web"', "charts/web/templates/deployment.yaml", True),
        ('"../../../../charts/web"', "charts/web/values.yaml", True),
        ("local.chart", "charts/web/Chart.yaml", True),
        ('"${path.root}/../../../../charts/web"', "charts/web/templates/new.yaml", True),
        ('"../../../../charts/web"', "charts/other/Chart.yaml", False),
        ('"web"', "charts/web/values.yaml", False),
    ],
)
def test_a_change_of_a_chart_affects_the_stacks_that_install_it(
    make_repo: MakeRepo, chart: str, path: str, is_affected: bool
) -> None:
    code = RELEASE.format(chart) + (LOCAL if chart == "local.chart" else "")
    repo = make_repo({**CHART, "infra/envs/dev/web/main.tf": code})
    base = repo.head
    repo.write({path: "changed: true\n"})
    affected = find_affected(load(repo.root), base)
    assert [stack.id for stack in affected.stacks] == (["dev/web"] if is_affected else [])
