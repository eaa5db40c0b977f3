"""All pages of an estate: links, policy, hostile text, and what is built again."""

from __future__ import annotations

import gzip
import posixpath
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from orchestrator.masking import HIDDEN, Masker
from orchestrator.portal.build import build_portal, make_pages
from orchestrator.portal.folder import PortalFolder
from orchestrator.portal.names import file_name
from orchestrator.portal.rendering import PageRenderer, web_address
from orchestrator.portal.source import PortalEnvironment, PortalSource, mask_source
from tests.support.portal import HOSTILE, make_source, make_stack

LIMIT = 150_000


class Reader(HTMLParser):
    """Collects the elements and attributes of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


@pytest.fixture(scope="module")
def site() -> dict[str, Reader]:
    source = make_source()
    renderer = PageRenderer(source.name)
    return {page.path: read(renderer.render(page)) for page in make_pages(source)}


def test_there_is_a_page_of_each_kind(site: dict[str, Reader]) -> None:
    kinds = {path.partition("/")[0] for path in site}
    assert kinds == {
        *("index.html", "matrix.html", "runs.html", "pull-requests.html", "drift.html", "flow.html"),
        *("parity.html", "stacks", "runs", "pull-requests"),
    }
    assert sum(path.startswith("stacks/") for path in site) == 24


def test_every_link_leads_to_a_page(site: dict[str, Reader]) -> None:
    known = {*site, "assets/portal.css", "assets/portal.js", "assets/built.js"}
    for path, page in site.items():
        for tag, attributes in page.elements:
            link = attributes.get("href") or attributes.get("src") or attributes.get("action") or ""
            parts = urlsplit(link)
            if parts.scheme == "https":
                # A job's address is followed by a person, never loaded.
                assert (tag, attributes["rel"]) == ("a", "noreferrer")
            elif parts.scheme == "data":
                assert link == "data:,"
            elif parts.path:
                target = posixpath.normpath(posixpath.join(posixpath.dirname(path), parts.path))
                assert target in known, f"{path} leads to {link}"


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(site: dict[str, Reader]) -> None:
    for path, page in site.items():
        policies = [
            attributes["content"]
            for tag, attributes in page.elements
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert len(policies) == 1
        assert "default-src 'none'" in policies[0]
        assert "unsafe" not in policies[0]
        for tag, attributes in page.elements:
            assert tag not in ("style", "iframe", "object", "embed", "base", "img"), path
            assert "style" not in attributes, path
            assert not [name for name in attributes if name.startswith("on")], path
            if tag == "script":
                assert attributes["src"].endswith(".js")


def test_hostile_text_stays_text(site: dict[str, Reader]) -> None:
    paths = [path for path, page in site.items() if "<script>alert('x')</script>" in page.text]
    assert "runs/" in " ".join(paths)
    for path in paths:
        assert "{{ 7 * 7 }}" in site[path].text
        assert "\\u202egnp" in site[path].text
        assert "\u202e" not in site[path].text


def test_hostile_names_have_pages_of_their_own() -> None:
    ids = [
        "dev/..",
        "dev/%2e",
        "dev/A",
        "dev/a",
        "dev--a",
        "dev/a/b",
        "dev/a--b",
        "dev/" + "x" * 300,
        "é",
        "e",
    ]
    paths = [file_name(id_) for id_ in ids]
    assert len({path.lower() for path in paths}) == len(ids)
    assert all(path.isascii() and "/" not in path and ".." not in path for path in paths)
    hostile = make_stack(f"dev/{HOSTILE}", owners=HOSTILE, path=HOSTILE)
    source = make_source(stacks=3, runs=3)
    source = replace(source, stacks=(*source.stacks, hostile))
    renderer = PageRenderer(HOSTILE)
    for page in make_pages(source):
        tags = [tag for tag, _ in read(renderer.render(page)).elements]
        assert tags.count("script") == 2
        assert "img" not in tags


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "//evil", " https://x", None, ""]
)
def test_only_web_addresses_become_links(link: str | None) -> None:
    assert web_address(link) == ""
    assert web_address("https://ci.example.com/1") == "https://ci.example.com/1"


def test_secrets_are_masked_before_a_page_has_them() -> None:
    secret = "ghp_" + "a1B2" * 9
    source = make_source(stacks=6, runs=6)
    rows = {
        "stacks": tuple(replace(row, subject=secret, break_glass=secret) for row in source.stacks),
        "runs": tuple(replace(row, subject=secret, break_glass=secret) for row in source.runs),
        "deployments": tuple(replace(row, reason=secret, subject=secret) for row in source.deployments),
        "commits": tuple(replace(row, subject=secret) for row in source.commits),
        "environments": (
            PortalEnvironment("dev", protected=False, hidden={"states": secret}, unknown=secret),
            *source.environments[1:],
        ),
        "statuses": {id_: replace(row, why=secret, advice=secret) for id_, row in source.statuses.items()},
    }
    renderer = PageRenderer("platform")
    pages = [
        renderer.render(page)
        for page in make_pages(mask_source(replace(source, **rows), Masker()))  # type: ignore[arg-type]
    ]
    assert sum(HIDDEN in page for page in pages) > 10
    assert not [page for page in pages if secret in page]


def _hidden(source: PortalSource) -> PortalSource:
    hidden = dict.fromkeys(("ledger", "runs", "drift", "states", "approvals"), "no right")
    prod = PortalEnvironment("prod", protected=True, hidden=hidden, unknown="no right")
    return replace(source, environments=(*source.environments[:2], prod))


def test_an_environment_without_rights_is_not_visible_on_any_page() -> None:
    source = _hidden(make_source())
    renderer = PageRenderer("platform")
    texts = {page.path: renderer.render(page) for page in make_pages(source)}
    for path in ("index.html", "matrix.html", "flow.html", "runs.html", "pull-requests.html"):
        assert "not visible" in texts[path], path
    assert "no right" in texts["stacks/prod--network.html"]
    assert 'badge good"' not in texts["stacks/prod--network.html"].partition("<h2>Facts")[0]


def test_an_empty_estate_has_pages() -> None:
    empty = make_source(stacks=0, runs=0, commits=(), parity=(), histories=(), environments=(), edges=())
    renderer = PageRenderer("platform")
    pages = {page.path: renderer.render(page) for page in make_pages(empty)}
    assert "Nothing needs a person." in pages["index.html"]
    assert len(pages) == 7


def test_a_build_writes_only_what_has_changed(tmp_path: Path) -> None:
    source = make_source()
    first = build_portal(source, PortalFolder.open(tmp_path))
    assert first.written == first.pages + 3
    assert build_portal(source, PortalFolder.open(tmp_path)).written == 0
    # Only Now says when it was built, beside the script for the other pages.
    later = replace(source, now=source.now + timedelta(minutes=1))
    assert build_portal(later, PortalFolder.open(tmp_path)).written == 2
    assert not list(_large(tmp_path))
    fewer = replace(source, stacks=source.stacks[:-1])
    assert build_portal(fewer, PortalFolder.open(tmp_path)).removed == 1


def _large(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.html") if len(gzip.compress(path.read_bytes())) > LIMIT)
