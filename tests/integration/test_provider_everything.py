"""Every type of the rules file, applied by real Terraform: the second plan is clean, all can be destroyed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.sandbox.gcs.resources import project_number
from orchestrator.sandbox.gcs.store import GcsStore
from orchestrator.sandbox.provider.rules import written_types
from orchestrator.sandbox.provider.server import ProviderServer
from orchestrator.sandbox.schemas import RecordedSchemas
from orchestrator.sandbox.sentinel import Sentinel
from tests.support.simulated import SimulatedRoot, actions, attached

EVERYTHING = (Path(__file__).parent.parent / "data/simulated/everything.tf").read_text()


@pytest.fixture(params=["files", "store"])
def stack(
    request: pytest.FixtureRequest, tmp_path: Path, terraform_argv: tuple[str, ...]
) -> Iterator[SimulatedRoot]:
    store = GcsStore(tmp_path / "gcs") if request.param == "store" else None
    server = ProviderServer(tmp_path / "worlds", RecordedSchemas(), store)
    server.start()
    server.serve_types(
        "google",
        set(re.findall(r'resource "(\w+)"', EVERYTHING)),
        set(re.findall(r'data "(\w+)"', EVERYTHING)),
    )
    sentinel = Sentinel()
    yield attached(server, "everything", tmp_path / "stack", terraform_argv, sentinel.pid)
    server.close()
    sentinel.close()


def test_each_type_is_in_the_configuration() -> None:
    used = set(re.findall(r'resource "(\w+)"', EVERYTHING))
    written = {name for name in written_types() if name not in ("data", "google_vertex_ai_schedule")}
    assert written <= used


def test_apply_then_nothing_to_do_then_destroy(stack: SimulatedRoot) -> None:
    stack.write(EVERYTHING)
    stack.apply()
    code, document = stack.plan()
    assert code == 0, json.dumps(
        [each["change"] for each in document["resource_changes"] if each["change"]["actions"] != ["no-op"]]
    )
    assert actions(document) == {}
    outputs = {name: each["value"] for name, each in document["planned_values"]["outputs"].items()}
    assert outputs["runner"] is True
    assert re.fullmatch(r"https://api-[a-z2-7]{10}-ew\.a\.run\.app", outputs["api"])
    assert outputs["project_number"] == project_number("demo-dev")
    stack.run("destroy", "-auto-approve")
    types = {item.type for item in stack.world.list()}
    assert types == set()
