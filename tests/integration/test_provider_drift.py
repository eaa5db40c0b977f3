"""Refresh-only and normal plans of a simulated resource, row by row of what real providers do under drift."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.sandbox.provider.server import ProviderServer
from orchestrator.sandbox.schemas import RecordedSchemas
from orchestrator.sandbox.sentinel import Sentinel
from tests.support.simulated import SimulatedRoot, actions, attached

TOPIC = """
resource "google_pubsub_topic" "t" {
  name                       = "events"
  message_retention_duration = "%s"
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ProviderServer, int]]:
    server = ProviderServer(tmp_path_factory.mktemp("worlds"), RecordedSchemas())
    server.start()
    server.serve_types("google", ["google_pubsub_topic", "google_colab_schedule"])
    sentinel = Sentinel()
    yield server, sentinel.pid
    server.close()
    sentinel.close()


@pytest.fixture
def stack(
    request: pytest.FixtureRequest,
    server: tuple[ProviderServer, int],
    tmp_path: Path,
    terraform_argv: tuple[str, ...],
) -> SimulatedRoot:
    """A stack whose topic is applied, with a retention of 600 s."""
    attached_stack = attached(server[0], request.node.name, tmp_path / "stack", terraform_argv, server[1])
    attached_stack.write(TOPIC % "600s")
    attached_stack.apply()
    return attached_stack


def refresh_only(stack: SimulatedRoot) -> tuple[int, dict[str, Any]]:
    return stack.plan("-refresh-only")


def test_clean(stack: SimulatedRoot) -> None:
    assert stack.plan()[0] == 0
    _, document = refresh_only(stack)
    assert actions(document, "resource_drift") == {}


def test_output_not_applied_yet(stack: SimulatedRoot) -> None:
    stack.write(TOPIC % "600s" + 'output "id" {\n  value = google_pubsub_topic.t.id\n}\n')
    code, document = refresh_only(stack)
    assert (code, actions(document, "resource_drift")) == (2, {})
    code, document = stack.plan()
    assert (code, actions(document), list(document["output_changes"])) == (2, {}, ["id"])


def test_edit_not_applied_yet(stack: SimulatedRoot) -> None:
    stack.write(TOPIC % "900s")
    assert refresh_only(stack)[0] == 0
    code, document = stack.plan()
    assert (code, actions(document)) == (2, {"google_pubsub_topic.t": ["update"]})
    assert "resource_drift" not in document


def test_moved_not_applied_yet(stack: SimulatedRoot) -> None:
    stack.write(
        (TOPIC % "600s").replace('"t"', '"u"')
        + "moved {\n  from = google_pubsub_topic.t\n  to   = google_pubsub_topic.u\n}\n"
    )
    code, document = refresh_only(stack)
    assert code == 0
    (drift,) = document["resource_drift"]
    assert (drift["change"]["actions"], drift["previous_address"]) == (["no-op"], "google_pubsub_topic.t")
    code, document = stack.plan()
    assert code == 2
    assert "resource_drift" not in document


def test_noise_in_what_is_computed_only(stack: SimulatedRoot) -> None:
    stack.world.set("events", "effective_labels.hand", "made")
    code, document = refresh_only(stack)
    assert (code, actions(document, "resource_drift")) == (2, {"google_pubsub_topic.t": ["update"]})
    code, document = stack.plan()
    assert (code, actions(document, "resource_drift")) == (0, {"google_pubsub_topic.t": ["update"]})


def test_noise_that_comes_by_itself(stack: SimulatedRoot) -> None:
    stack.write(
        """
resource "google_colab_schedule" "s" {
  display_name             = "nightly"
  location                 = "europe-west1"
  cron                     = "0 3 * * *"
  max_concurrent_run_count = 1
}
"""
    )
    stack.apply()
    code, document = stack.plan()
    (drift,) = document["resource_drift"]
    before, after = drift["change"]["before"], drift["change"]["after"]
    assert code == 0
    assert [name for name in before if before[name] != after[name]] == ["next_run_time"]


def test_drift_of_an_ignored_attribute(stack: SimulatedRoot) -> None:
    stack.write(
        (TOPIC % "600s").replace(
            "\n}\n", "\n  lifecycle {\n    ignore_changes = [message_retention_duration]\n  }\n}\n"
        )
    )
    stack.world.set("events", "message_retention_duration", "900s")
    code, document = refresh_only(stack)
    assert (code, actions(document, "resource_drift")) == (2, {"google_pubsub_topic.t": ["update"]})
    code, document = stack.plan()
    assert (code, actions(document, "resource_drift")) == (0, {"google_pubsub_topic.t": ["update"]})


def test_configured_attribute_changed_by_hand(stack: SimulatedRoot) -> None:
    stack.world.set("events", "message_retention_duration", "900s")
    assert refresh_only(stack)[0] == 2
    code, document = stack.plan()
    (drift,), (change,) = document["resource_drift"], document["resource_changes"]
    name = "message_retention_duration"
    assert code == 2
    assert (drift["change"]["before"][name], drift["change"]["after"][name]) == ("600s", "900s")
    assert (change["change"]["before"][name], change["change"]["after"][name]) == ("900s", "600s")
    stack.apply()
    assert stack.world.get("events").attributes[name] == "600s"


def test_deleted_out_of_band(stack: SimulatedRoot) -> None:
    stack.world.delete("events")
    code, document = refresh_only(stack)
    assert (code, actions(document, "resource_drift")) == (2, {"google_pubsub_topic.t": ["delete"]})
    code, document = stack.plan()
    assert code == 2
    assert actions(document, "resource_drift") == {"google_pubsub_topic.t": ["delete"]}
    assert actions(document) == {"google_pubsub_topic.t": ["create"]}


def test_drift_already_codified(stack: SimulatedRoot) -> None:
    stack.world.set("events", "message_retention_duration", "900s")
    stack.write(TOPIC % "900s")
    assert refresh_only(stack)[0] == 2
    code, document = stack.plan()
    assert (code, actions(document, "resource_drift")) == (0, {"google_pubsub_topic.t": ["update"]})


def test_file_edited_by_hand(stack: SimulatedRoot) -> None:
    (path,) = (stack.world.root / "google/google_pubsub_topic").iterdir()
    path.write_text(path.read_text().replace('"600s"', '"1200s"'))
    _, document = stack.plan()
    assert document["resource_drift"][0]["change"]["after"]["message_retention_duration"] == "1200s"
    path.unlink()
    assert actions(stack.plan()[1]) == {"google_pubsub_topic.t": ["create"]}
