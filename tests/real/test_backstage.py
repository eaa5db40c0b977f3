"""Backstage's own packages accept the entities and the forms that infra writes.

`make real-backstage` installs them by npm and names their folder in BACKSTAGE.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cli import Infra
from tests.support.repo import Repo

pytest.importorskip("copier")
pytestmark = pytest.mark.real

CHECK = """\
const model = require("@backstage/catalog-model");
const {templateEntityV1beta3Validator} = require("@backstage/plugin-scaffolder-common");
const policies = [
  new model.SchemaValidEntityPolicy(),
  new model.FieldFormatEntityPolicy(),
  new model.NoForeignRootFieldsEntityPolicy(),
];
const validators = {
  Resource: model.resourceEntityV1alpha1Validator, Template: templateEntityV1beta3Validator,
};
(async () => {
  for (const entity of JSON.parse(require("fs").readFileSync(0))) {
    for (const policy of policies) await policy.enforce(entity);
    if (!await validators[entity.kind].check(entity)) throw new Error(`${entity.kind} of another version`);
  }
})().catch((error) => { console.error(error.message); process.exit(1); });
"""


def check(entities: list[dict[str, Any]]) -> str:
    """What Backstage finds wrong; empty for nothing."""
    folder = os.environ.get("BACKSTAGE")
    if not folder:
        pytest.skip("BACKSTAGE names no folder with Backstage's packages: make real-backstage installs them")
    done = subprocess.run(
        ["node", "-e", CHECK], input=json.dumps(entities), cwd=folder, capture_output=True, text=True
    )
    return done.stderr.strip() if done.returncode else ""


@pytest.fixture
def project(tmp_path: Path) -> Infra:
    Infra(tmp_path, {})("new", "project", "acme", "--data", "owner=@acme/platform", code=0)
    project = Infra(tmp_path / "acme", {})
    project("new", "service", "shop", code=0)
    Repo(project.root).commit(message="The first commit")
    return project


def test_backstage_accepts_the_entities(project: Infra) -> None:
    entities = list(yaml.safe_load_all((project.root / "catalog-info.yaml").read_text()))
    assert len(entities) == 6
    assert check(entities) == ""
    entities[0]["metadata"]["name"] = "dev/network"
    assert "metadata.name" in check(entities)


@pytest.mark.parametrize("template", ["stack", "network", "service", "pipeline"])
def test_backstage_accepts_the_forms(project: Infra, template: str) -> None:
    form = yaml.safe_load(project("catalog", "form", template, "--repository", "acme/infra", code=0).out)
    assert check([form]) == ""
    del form["spec"]["type"]
    assert "type" in check([form])
