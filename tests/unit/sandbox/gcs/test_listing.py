"""Listings: prefixes, delimiters, offsets, pages, versions."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.gcs.listing import Query
from orchestrator.sandbox.gcs.store import GcsError, GcsStore
from tests.unit.sandbox.gcs.conftest import BUCKET, Call

NAMES = ["a", "dev/", "dev/net/x", "dev/net/y", "dev/svc", "devil", "prod/x", "ü"]


@pytest.fixture
def filled(store: GcsStore) -> GcsStore:
    for name in reversed(NAMES):
        store.insert_object(BUCKET, name, b"")
    return store


@pytest.mark.parametrize(
    ("query", "items", "prefixes"),
    [
        (Query(), NAMES, []),
        (Query(prefix="dev/"), ["dev/", "dev/net/x", "dev/net/y", "dev/svc"], []),
        (Query(delimiter="/"), ["a", "devil", "ü"], ["dev/", "prod/"]),
        (Query(delimiter="/", prefix="dev/"), ["dev/", "dev/svc"], ["dev/net/"]),
        (Query(delimiter="/", trailing_delimiter=True), ["a", "dev/", "devil", "ü"], ["dev/", "prod/"]),
        (Query(start="dev/net/y", end="prod/x"), ["dev/net/y", "dev/svc", "devil"], []),
        (Query(prefix="none"), [], []),
        (Query(delimiter="e"), ["a", "prod/x", "ü"], ["de"]),
    ],
)
def test_what_a_listing_shows(filled: GcsStore, query: Query, items: list[str], prefixes: list[str]) -> None:
    page = filled.list_objects(BUCKET, query)
    assert [item["name"] for item in page.items] == items
    assert page.prefixes == prefixes
    assert page.next_token == ""


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("extra", [{}, {"delimiter": "/"}, {"versions": "true"}, {"prefix": "dev/"}])
def test_pages_together_are_the_whole(filled: GcsStore, size: int, extra: dict[str, str]) -> None:
    filled.insert_object(BUCKET, "dev/svc", b"again")
    whole = filled.list_objects(BUCKET, Query.read(extra))
    items, prefixes, token = [], [], ""
    while True:
        page = filled.list_objects(BUCKET, Query.read({**extra, "maxResults": str(size), "pageToken": token}))
        assert 1 <= len(page.items) + len(page.prefixes) <= size
        items += page.items
        prefixes += page.prefixes
        token = page.next_token
        if not token:
            break
    assert (items, prefixes) == (whole.items, whole.prefixes)


def test_managed_folders_can_be_shown_as_prefixes(filled: GcsStore) -> None:
    filled.insert_managed_folder(BUCKET, "empty/")
    prefixes = filled.list_objects(BUCKET, Query(delimiter="/", folders_as_prefixes=True)).prefixes
    assert prefixes == ["dev/", "empty/", "prod/"]


@pytest.mark.parametrize(
    "query",
    [
        {"maxResults": "0"},
        {"maxResults": "x"},
        {"pageToken": "?"},
        {"versions": "true", "softDeleted": "true"},
    ],
)
def test_bad_questions_are_refused(filled: GcsStore, query: dict[str, str]) -> None:
    with pytest.raises(GcsError, match="400"):
        filled.list_objects(BUCKET, Query.read(query))


def test_an_empty_listing_has_no_items(call: Call) -> None:
    assert call("GET", f"/storage/v1/b/{BUCKET}/o").json == {"kind": "storage#objects"}


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        ("foo*bar", ["foobar"]),
        ("foo**bar", ["foo/bar", "foo/foobar", "foobar"]),
        ("**/foobar", ["foo/foobar", "foobar"]),
        ("*/ba[rz]", ["foo/bar", "foo/baz"]),
        ("*/ba[!a-y]", ["foo/baz"]),
        ("**/{foobar,baz}", ["foo/baz", "foo/foobar", "foobar"]),
        ("foo/{foo*,*baz}", ["foo/baz", "foo/foobar"]),
        ("foo?ba?", []),
        ("fo?bar", ["foobar"]),
        ("foo/ba\\*", []),
        ("foobar,x", []),
    ],
)
def test_a_glob_selects_names(store: GcsStore, glob: str, names: list[str]) -> None:
    for name in ("foo/bar", "foo/baz", "foo/foobar", "foobar"):
        store.insert_object(BUCKET, name, b"x")
    page = store.list_objects(BUCKET, Query.read({"matchGlob": glob}))
    assert [item["name"] for item in page.items] == names


def test_a_glob_selects_prefixes_too(store: GcsStore) -> None:
    for name in ("bar/a", "bar/b", "baz/a", "bay", "foo"):
        store.insert_object(BUCKET, name, b"x")
    page = store.list_objects(BUCKET, Query.read({"matchGlob": "ba[ry]{,/}", "delimiter": "/"}))
    assert ([item["name"] for item in page.items], page.prefixes) == (["bay"], ["bar/"])


@pytest.mark.parametrize("glob", ["a[b", "{a", "[z-a]"])
def test_a_malformed_glob_is_refused(glob: str) -> None:
    with pytest.raises(GcsError, match=r"400 invalid: Invalid value .* for matchGlob"):
        Query.read({"matchGlob": glob})
