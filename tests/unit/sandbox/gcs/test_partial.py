"""Partial responses: what a selection shows, and malformed ones."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.sandbox.gcs.errors import GcsError
from orchestrator.sandbox.gcs.partial import parse_selection, select
from orchestrator.sandbox.gcs.server import GcsServer
from tests.unit.sandbox.gcs.conftest import BUCKET, Call

DOCUMENT = {"kind": "k", "items": [{"name": "a", "size": "1", "metadata": {"x": "1", "y": "2"}}], "next": "t"}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("kind", {"kind": "k"}),
        ("items(name,size),next", {"items": [{"name": "a", "size": "1"}], "next": "t"}),
        ("items/metadata/x", {"items": [{"metadata": {"x": "1"}}]}),
        ("items(name,metadata/y)", {"items": [{"name": "a", "metadata": {"y": "2"}}]}),
        ("items/*/x", {"items": [{"name": "a", "size": "1", "metadata": {"x": "1"}}]}),
        ("*", DOCUMENT),
        ("missing", {}),
    ],
)
def test_a_selection_shows_its_fields(text: str, selected: dict[str, Any]) -> None:
    assert select(DOCUMENT, parse_selection(text)) == selected


@pytest.mark.parametrize("text", ["", "a,", "a(b", "a)b", "a/", "a()", "a b", "a(b))", "a(b)c"])
def test_a_malformed_selection_is_refused(text: str) -> None:
    with pytest.raises(GcsError, match="400 invalidParameter"):
        parse_selection(text)


def test_answers_are_partial_and_errors_are_not(server: GcsServer, call: Call) -> None:
    data = b'{"name": "mine", "size": 1}'
    server.store.insert_object(BUCKET, "a", data, {"contentType": "application/json; charset=UTF-8"})
    path = f"/storage/v1/b/{BUCKET}/o"
    assert call("GET", path, fields="items/name").json == {"items": [{"name": "a"}]}
    assert call("GET", f"{path}/a", fields="name", alt="media").body == data
    assert call("GET", f"{path}/b", fields="name").reason == "notFound"
    assert call("DELETE", f"{path}/a", fields="a(").status == 400
    assert call("GET", f"{path}/a").status == 200
