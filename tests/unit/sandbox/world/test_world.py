"""The world's folder: what people and providers do to it, and what is said when something is wrong."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import SandboxError, UsageError
from orchestrator.sandbox.world import World
from orchestrator.sandbox.world.objects import file_name
from orchestrator.sandbox.world.paths import parse_path, set_in
from orchestrator.sandbox.world.stored import AlreadyExistsError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
API = "projects/demo/locations/europe-west1/services/api"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "world", clock=lambda: NOW)
    world.create(
        "google",
        "google_run",
        API,
        {
            "name": "api",
            "labels": {"team": "a"},
            "note": None,
            "template": [{"timeout": "3s", "scaling": []}],
        },
    )
    world.create("google", "google_topic", "projects/demo/topics/events", {"name": "events"})
    return world


def test_one_readable_private_file_an_object(world: World) -> None:
    path = world.root / "google/google_run/demo~locations~europe-west1~services~api.json"
    document = json.loads(path.read_text())
    assert (document["id"], document["attributes"]["name"]) == (API, "api")
    assert document["created"] == document["updated"] == "2026-01-02T03:04:05.000000Z"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name], "nothing half written is left"


# `projects/` alone is the id of nothing.
@given(st.lists(st.text(min_size=1).filter("projects/".__ne__), min_size=2, max_size=2, unique=True))
def test_ids_never_share_a_file(ids: list[str]) -> None:
    first, two = (each.removeprefix("projects/") for each in ids)
    assert (file_name(first) == file_name(two)) == (first == two)
    assert "/" not in file_name(first)
    assert not file_name(first).startswith(".")
    assert len(file_name(first).encode()) < 255


@pytest.mark.parametrize("name", [f"google_run/{API}", API, "api", "google_run/api"])
def test_objects_by_their_names(world: World, name: str) -> None:
    assert world.get(name).id == API


def test_unknown_and_ambiguous_names(world: World) -> None:
    with pytest.raises(SandboxError, match="there is no nothing"):
        world.get("nothing")
    world.create("google", "google_job", "projects/demo/jobs/api", {})
    with pytest.raises(SandboxError, match="api is ambiguous: google_job/"):
        world.get("api")
    assert world.get("google_job/api").type == "google_job"


def test_lists(world: World) -> None:
    assert [item.type for item in world.list()] == ["google_run", "google_topic"]
    assert [item.type for item in world.list("google_topic")] == ["google_topic"]
    assert [item.type for item in world.list(glob="ap*")] == ["google_run"]
    assert [item.type for item in world.list(glob="projects/*/topics/*")] == ["google_topic"]
    assert World(world.root / "nowhere").list() == []


def test_set_changes_one_attribute_and_the_time(world: World) -> None:
    world.clock = lambda: NOW.replace(year=2027)
    changed = world.set("api", "template[0].timeout", "9s")
    assert changed.attributes["template"][0]["timeout"] == "9s"
    assert changed == world.get("api")
    assert (changed.created[:4], changed.updated[:4]) == ("2026", "2027")
    assert world.set("api", 'labels["x.y"]', "z").attributes["labels"] == {"team": "a", "x.y": "z"}
    assert world.set("api", "note", {"any": ["json"]}).attributes["note"] == {"any": ["json"]}


def test_ids_are_taken_once(world: World) -> None:
    with pytest.raises(AlreadyExistsError):
        world.create("google", "google_run", API, {"name": "other"})
    assert world.get("api").attributes["name"] == "api"

    def create(number: int) -> bool:
        try:
            world.create("google", "google_run", "contested", {"name": str(number)})
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(create, range(24))).count(True) == 1


def test_gone_is_gone(world: World) -> None:
    assert world.delete("events").type == "google_topic"
    assert world.find("google_topic", "projects/demo/topics/events") is None
    with pytest.raises(LookupError):
        world.update("google_topic", "projects/demo/topics/events", {})
    with pytest.raises(LookupError):
        world.remove("google_topic", "projects/demo/topics/events")


@pytest.mark.parametrize("text", ["{", "[]", '{"id": "x"}', '{"attributes": {}}', "\xff"])
def test_a_spoilt_file_is_named(world: World, text: str) -> None:
    path = world.root / "google/google_run/spoilt.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SandboxError) as caught:
        world.list()
    assert str(path) in caught.value.message
    assert caught.value.advice


def test_faults_strike_as_often_as_configured(world: World) -> None:
    world.break_("google_run", "update", "no", times=2)
    world.break_("*/events", "any", "never")
    struck = [world.faults.strike("google_run", API, "update") for _ in range(3)]
    assert [fault.message if fault else None for fault in struck] == ["no", "no", None]
    assert world.faults.strike("google_run", API, "read") is None
    assert world.faults.strike("google_topic", "projects/demo/topics/events", "delete") is not None
    assert [fault.target for fault in World(world.root).faults.list()] == ["*/events"], (
        "another process sees it"
    )
    assert world.mend("google_run") == 0
    assert world.mend() == 1
    assert not (world.root / "faults.json").exists()


def test_faults_that_make_no_sense(world: World) -> None:
    with pytest.raises(UsageError, match="no operation 'drop'"):
        world.break_("google_run", "drop", "no")
    with pytest.raises(UsageError, match="at least once"):
        world.break_("google_run", "read", "no", times=0)
    (world.root / "faults.json").write_text("{")
    with pytest.raises(SandboxError, match="not a list of faults"):
        world.faults.strike("google_run", API, "read")


def test_delays(world: World) -> None:
    assert world.delay_scale == 0
    world.set_delays(0.5)
    assert World(world.root).delay_scale == 0.5


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ["a"]),
        ("template[0].scaling[1].min", ["template", 0, "scaling", 1, "min"]),
        ('labels["a.b/c"].d', ["labels", "a.b/c", "d"]),
    ],
)
def test_paths(path: str, steps: list[str | int]) -> None:
    assert parse_path(path) == steps


@pytest.mark.parametrize("path", ["", "a..b", "a[x]", "a b", "[", "a["])
def test_bad_paths(path: str) -> None:
    with pytest.raises(SandboxError):
        parse_path(path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nmae", "nmae does not exist"),
        ("template.timeout", "is not in an object"),
        ("template[1].timeout", "template[1] does not exist"),
        ("template[0].timeuot", "template[0].timeuot does not exist"),
        ("template[2]", "is beyond the end"),
        ("name[0]", "is not in a list"),
        ("note.x", "note is null"),
        ("name.x.y", "name.x does not exist"),
        ("nothing.x", "nothing does not exist"),
    ],
)
def test_paths_that_lead_nowhere(world: World, path: str, message: str) -> None:
    before = world.get("api")
    with pytest.raises(SandboxError) as caught:
        world.set("api", path, 1)
    assert message in caught.value.message
    assert caught.value.advice
    assert world.get("api") == before


def test_a_near_name_is_offered(world: World) -> None:
    with pytest.raises(SandboxError) as caught:
        world.set("api", "lables.x", 1)
    assert caught.value.advice == "Did you mean labels?"


def test_an_element_may_be_added_at_the_end() -> None:
    attributes = {"list": [1]}
    set_in(attributes, "list[1]", 2)
    assert attributes == {"list": [1, 2]}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.text(min_size=1, max_size=400))
def test_any_id_can_be_stored_and_read_again(tmp_path: Path, name: str) -> None:
    world = World(tmp_path)
    if world.find("google_any", name) is None:
        try:
            world.create("google", "google_any", name, {})
        except UnicodeEncodeError:
            return
    assert world.find("google_any", name) is not None
