"""The report hook that ships: what a change makes of the manifests of Helm charts."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.process import Supervisor
from orchestrator.report.untrusted_markdown import LARGEST, render_untrusted
from orchestrator.repository.helm_releases import HelmRelease, HelmValue, HelmValueFile, HelmValueText
from orchestrator.review.chart_report import hide_secrets, read_side, report_charts, template_arguments

STACK = "infra/envs/dev/web/main.tf"
RELEASE = """\
variable "replicas" { default = 2 }
variable "tag" {}
resource "helm_release" "web" {
  name      = "web"
  namespace = "shop"
  chart     = "${path.module}/../../../../charts/web"
  values = [
    file("${path.module}/values.yaml"),
    yamlencode({ color = "blue", image = { name = "web", tag = var.tag } }),
  ]
  set {
    name  = "replicas"
    value = var.replicas
  }
  set {
    name  = "tag"
    value = var.tag
  }
}
"""
FILES = {
    STACK: RELEASE,
    "infra/envs/dev/web/values.yaml": "level: info\n",
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "replicas: 1\n",
    "charts/web/templates/all.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: {{ .Release.Namespace }}}
data:
  replicas: "{{ .Values.replicas }}"
  level: {{ .Values.level }}
  color: {{ .Values.color }}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {key: {{ .Values.level }}-not-for-a-comment}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: dice}
data: {face: {{ randAlphaNum 12 }}}
""",
}
HELM = shutil.which("helm")
needs_helm = pytest.mark.skipif(HELM is None, reason="there is no `helm` on PATH")


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def report(tmp_path: Path, head: Mapping[str, str], path: str | None = None) -> str:
    """The report for a change of `FILES` into `head`."""
    if not (tmp_path / "head").exists():
        write(tmp_path / "head", head)
    document = tmp_path / "input.json"
    document.write_text(json.dumps({"stacks": [{"id": "dev/web", "environment": "dev"}]}))
    environ = {
        "PATH": os.environ["PATH"] if path is None else path,
        "INFRA_HOOK_BASE_FILES": str(write(tmp_path / "base", FILES)),
        "INFRA_HOOK_HEAD_FILES": str(tmp_path / "head"),
        "INFRA_HOOK_INPUT": str(document),
    }
    return report_charts(Supervisor(), environ)


def test_a_release_is_read_as_far_as_the_code_determines_it(tmp_path: Path) -> None:
    side = read_side(write(tmp_path, FILES), ["dev/web"])
    assert side.releases == {
        "dev/web helm_release.web": HelmRelease(
            "infra/envs/dev/web: helm_release.web",
            "charts/web",
            "web",
            "shop",
            (
                HelmValueFile("infra/envs/dev/web/values.yaml"),
                HelmValueText('{"color": "blue", "image": {"name": "web"}}'),
            ),
            (HelmValue("replicas", "2"),),
            ("values.image.tag", "set tag"),
        )
    }


def test_a_release_in_a_module_knows_its_arguments(tmp_path: Path) -> None:
    """Also in the list form of the provider's version 3, once for each call."""
    module = """\
variable "name" {}
resource "helm_release" "this" {
  name  = var.name
  chart = "${path.module}/../../../charts/web"
  set   = [{ name = "a", value = "1,2", type = "string" }, { name = "b", value = random_id.x.hex }]
}
"""
    calls = "".join(
        f'module "{name}" {{\n  source = "../../../modules/app"\n  name = "{name}"\n}}\n'
        for name in ("one", "two")
    )
    files = {**FILES, STACK: calls, "infra/modules/app/main.tf": module}
    releases = read_side(write(tmp_path, files), ["dev/web", "dev/unknown"]).releases
    assert [(key, release.name) for key, release in releases.items()] == [
        ("dev/web helm_release.this", "one"),
        ("dev/web helm_release.this (2)", "two"),
    ]
    assert {release.settings for release in releases.values()} == {(HelmValue("a", "1,2", True),)}
    assert {release.open for release in releases.values()} == {("set b",)}


def test_charts_are_found_in_any_folder_and_any_syntax(tmp_path: Path) -> None:
    release = {"chart": "../../../../.helm", "set": [{"name": "a", "value": "b"}], "name": "${var.unknown}"}
    code = json.dumps({"resource": {"helm_release": {"web": release}}})
    files = {"infra/envs/dev/web/main.tf.json": code, ".helm/Chart.yaml": "name: web\n"}
    [read] = read_side(write(tmp_path, files), ["dev/web"]).releases.values()
    assert (read.chart, read.name, read.open) == (".helm", None, ("name",))
    assert read.settings == (HelmValue("a", "b"),)


@pytest.mark.parametrize(
    "chart", ["../../../../../outside", "/etc", "web", "${var.chart}", "../../../../empty"]
)
def test_a_chart_that_is_no_folder_of_the_project_is_left_out(tmp_path: Path, chart: str) -> None:
    write(tmp_path, {"outside/Chart.yaml": "name: x\n"})
    files = {STACK: f'resource "helm_release" "web" {{\n  chart = "{chart}"\n}}\n', "empty/x": ""}
    assert read_side(write(tmp_path / "project", files), ["dev/web"]).releases == {}


def test_nothing_of_a_release_becomes_an_option_of_helm() -> None:
    release = HelmRelease("a", "c", "--post-renderer=x", "--debug", settings=(HelmValue("--x", "y"),))
    arguments = template_arguments(release, Path("/p/c"), [Path("/p/v")])
    assert arguments[-3:] == ("--", "--post-renderer=x", "/p/c")
    assert {"--namespace=--debug", "--set=--x=y", "--values=/p/v"} <= set(arguments)


def test_values_of_secrets_are_hidden_however_deep() -> None:
    secret = {"kind": "Secret", "data": {"a": "same", "b": "old"}, "stringData": "x", "type": "Opaque"}
    other = {**secret, "data": {"a": "same", "b": "new"}}
    hidden = hide_secrets({"kind": "List", "items": [secret]}, {"kind": "List", "items": [other]})
    assert hidden["items"] == [
        {
            "kind": "Secret",
            "data": {"a": "(hidden)", "b": "(hidden, changed)"},
            "stringData": "(hidden)",
            "type": "Opaque",
        }
    ]


def test_without_helm_the_report_mentions_it(tmp_path: Path) -> None:
    assert "no `helm` on PATH" in report(tmp_path, FILES, str(tmp_path))


def test_without_a_chart_helm_is_not_needed(tmp_path: Path) -> None:
    write(tmp_path / "head", {STACK: ""})
    document = tmp_path / "input.json"
    document.write_text(json.dumps({"stacks": [{"id": "dev/web"}]}))
    environ = {f"INFRA_HOOK_{side}_FILES": str(tmp_path / "head") for side in ("BASE", "HEAD")}
    text = report_charts(Supervisor(), {"PATH": "", "INFRA_HOOK_INPUT": str(document), **environ})
    assert "names no Helm chart" in text


def test_outside_of_a_hook_it_explains_how_to_run_it() -> None:
    with pytest.raises(UsageError) as error:
        report_charts(Supervisor(), {})
    assert "infra ci report" in error.value.advice


@needs_helm
def test_the_difference_of_the_manifests_is_shown(tmp_path: Path) -> None:
    changed = {
        "infra/envs/dev/web/values.yaml": "level: debug\n",
        STACK: RELEASE.replace("default = 2", "default = 3"),
    }
    text = report(tmp_path, {**FILES, **changed})
    assert "-  replicas: '2'\n-  level: info\n+  replicas: '3'\n+  level: debug\n" in text
    assert "2 objects changed." in text
    assert "`values.image.tag`, `set tag`" in text
    assert "Changed: `Secret key`" in text
    assert "(hidden, changed)" in text
    assert "not-for-a-comment" not in text
    assert "Different at each rendering, so not compared: `ConfigMap dice`" in text
    assert "color" in text  # a line around the changed ones
    assert "+  replicas: '3'" in render_untrusted(text)


@needs_helm
def test_a_removed_template_is_shown_and_an_equal_chart_too(tmp_path: Path) -> None:
    assert "No difference in 3 objects" in report(tmp_path / "same", FILES)
    removed = {**FILES, "charts/web/templates/all.yaml": ""}
    assert "objects removed." in report(tmp_path / "removed", removed)


@needs_helm
def test_a_chart_that_does_not_render_is_named_with_the_reason(tmp_path: Path) -> None:
    text = report(tmp_path, {**FILES, "charts/web/templates/all.yaml": "{{ fail `no @everyone` }}"})
    assert "does not render as this change has it" in text
    assert "no @everyone" in text


@needs_helm
def test_an_error_names_files_from_the_projects_root(tmp_path: Path) -> None:
    text = report(tmp_path, {**FILES, "infra/envs/dev/web/values.yaml": "level: [\n"})
    assert "./infra/envs/dev/web/values.yaml" in text
    assert str(tmp_path) not in text


@needs_helm
@pytest.mark.parametrize("target", ["/etc/passwd", "../../../secret", "../../.git/config"])
def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path, target: str) -> None:
    head = write(tmp_path / "head", {**FILES, ".git/config": "kind: token\n"})
    (tmp_path / "secret").write_text("kind: token\n")
    (head / "charts/web/templates/link.yaml").symlink_to(target)
    text = report(tmp_path, FILES)
    assert "which is no file of the project" in text
    assert "token" not in text
    assert "root:" not in text


@needs_helm
def test_a_link_to_a_file_of_the_project_is_followed(tmp_path: Path) -> None:
    head = write(tmp_path / "head", {**FILES, "charts/shared.yaml": "kind: Shared\nmetadata: {name: x}\n"})
    (head / "charts/web/templates/link.yaml").symlink_to("../../shared.yaml")
    assert "Added: `Shared x`" in report(tmp_path, FILES)


@needs_helm
def test_a_name_that_looks_like_markdown_opens_no_fence(tmp_path: Path) -> None:
    template = 'kind: A\nmetadata: {name: "a\\n```\\n</details>"}\ndata: {x: "```\\n# y"}\n'
    markdown = render_untrusted(report(tmp_path, {**FILES, "charts/web/templates/all.yaml": template}))
    assert "\n````\n@@ -0,0 +1" in markdown
    assert "\n```\n@@ -1" in markdown


@needs_helm
def test_a_long_report_names_what_it_omits(tmp_path: Path) -> None:
    item = '---\nkind: A\nmetadata: {name: "{{ . }}"}\nx: "{{ repeat 90 `y` }}"\n'
    many = f"{{{{ range until 400 }}}}\n{item}{{{{ end }}}}"
    text = report(tmp_path, {**FILES, "charts/web/templates/many.yaml": many})
    assert len(text.encode()) < LARGEST
    assert "left out: the report is full." in text
