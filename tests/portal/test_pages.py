"""Every page of the portal in Chromium: widths, light and dark, keyboard, axe-core, messages, links."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.portal.build import build_portal
from orchestrator.portal.folder import PortalFolder
from orchestrator.portal.server import PortalServer
from tests.support.browser import BrowserPage, browser, find_browser
from tests.support.portal import make_source

pytestmark = pytest.mark.portal

PAGES = (
    "index.html",
    "matrix.html",
    "runs.html",
    "pull-requests.html",
    "drift.html",
    "flow.html",
    "parity.html",
    "stacks/dev--database.html",
    "stacks/staging--service.html",
    "runs/20261130t000000004z-000004.html",
    "pull-requests/198.html",
)
WIDTHS = (400, 800, 1440)
# What a page may not cause: messages, exceptions, dialogs.
EVENTS = frozenset(
    {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.javascriptDialogOpening"}
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a portal."""
    folder = PortalFolder.open(tmp_path_factory.mktemp("portal") / "site")
    build_portal(make_source(), folder)
    with PortalServer(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.url
        server.close()
        thread.join()


@pytest.fixture(scope="module")
def page() -> Iterator[BrowserPage]:
    """A page of a browser."""
    path = find_browser()
    if path is None:
        pytest.skip("there is no Chromium here")
    with browser(path) as chromium:
        yield chromium.open_page()


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core, which `make portal-test` installs."""
    if "AXE_CORE" not in os.environ:
        pytest.skip("AXE_CORE names no script")
    return Path(os.environ["AXE_CORE"]).read_text(encoding="utf-8")


def problems(page: BrowserPage) -> list[dict[str, Any]]:
    return [event for event in page.take_events() if event["method"] in EVENTS]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_each_page_is_right_at_each_width(
    site: str, page: BrowserPage, axe: str, path: str, dark: bool
) -> None:
    for width in WIDTHS:
        page.show(site + path, width=width, dark=dark)
        assert page.run("document.title").endswith("platform")
        assert problems(page) == []
        wide = page.run(
            "document.documentElement.scrollWidth > innerWidth && "
            "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && "
            "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 120))"
        )
        assert not wide, f"{width}: {wide}"
        page.run(f"{axe}; 1")
        violations = page.run(
            "axe.run().then(r => r.violations.map(v => `${v.id}: ${v.nodes.map(n => n.html).slice(0, 3)}`))"
        )
        assert violations == [], f"{width}"
        page.take_events()


def test_every_link_is_live(site: str, page: BrowserPage) -> None:
    links: set[str] = set()
    for path in PAGES:
        page.show(site + path)
        links |= set(page.run("[...document.links].map(a => a.href.split('#')[0])"))
    own = sorted(link for link in links if link.startswith(site))
    assert len(own) > 50
    page.show(site)
    # The policy of the pages allows no request by script: this is a page without one.
    page.call("Page.setBypassCSP", enabled=True)
    page.show(site)
    dead = page.run(
        f"Promise.all({own!r}.map(async u => (await fetch(u)).ok ? '' : u)).then(all => all.filter(Boolean))"
    )
    page.call("Page.setBypassCSP", enabled=False)
    assert dead == []


def test_no_request_goes_to_another_host(site: str, page: BrowserPage) -> None:
    for path in PAGES:
        page.show(site + path)
        page.run("new Promise(done => setTimeout(done, 50))")
        urls = [
            event["params"]["request"]["url"]
            for event in page.take_events()
            if event["method"] == "Network.requestWillBeSent"
        ]
        assert urls
        assert [url for url in urls if not url.startswith((site, "data:"))] == []


@pytest.mark.parametrize("path", PAGES)
def test_everything_is_reached_by_keyboard(site: str, page: BrowserPage, path: str) -> None:
    page.show(site + path)
    reachable = page.run(
        "[...document.querySelectorAll('a[href], input, select, button, summary, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility()).length"
    )
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    reached = 1
    while reached < reachable:
        page.press("Tab")
        visible = page.run(
            "(() => { const s = getComputedStyle(document.activeElement);"
            " return document.activeElement !== document.body && s.outlineStyle !== 'none'; })()"
        )
        assert visible, page.run("document.activeElement.outerHTML.slice(0, 200)")
        reached += 1
    page.show(site + path)
    page.press("Tab")
    page.press("Enter")
    assert page.run("location.hash") == "#main"


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", 8),
        ("?q=network", 1),
        ("?q=NET+work", 1),
        ("?q=nothing-like-it", 0),
        ("?owner=%40acme%2Fplatform", 8),
        ("?axis=run&level=bad", 2),
        ("?env=prod&axis=run&level=bad", 1),
        ("?q=%3Cscript%3Ealert(1)%3C/script%3E", 0),
    ],
)
def test_filters_are_in_the_address(site: str, page: BrowserPage, query: str, rows: int) -> None:
    page.show(f"{site}matrix.html{query}")
    counted = page.run(
        "[...document.querySelectorAll('.matrix tbody tr')].filter(row => row.checkVisibility()).length"
    )
    assert counted == rows
    assert problems(page) == []


def test_a_filter_that_is_sent_is_in_the_address(site: str, page: BrowserPage) -> None:
    page.show(f"{site}stacks/dev--database.html")
    page.run("document.querySelector('.search input').value = 'dns'")
    page.take_events()
    page.run("setTimeout(() => document.querySelector('.search').requestSubmit(), 0)")
    page.wait_for_load()
    assert page.run("location.href") == f"{site}matrix.html?q=dns"


def test_pages_are_complete_without_a_script(site: str, page: BrowserPage) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.show(f"{site}matrix.html?q=network")
        document = page.call("DOM.getDocument")["root"]["nodeId"]

        def count(selector: str) -> int:
            nodes = page.call("DOM.querySelectorAll", nodeId=document, selector=selector)["nodeIds"]
            return len(nodes)

        assert count(".matrix tbody tr:not([hidden])") == 8
        # Forms that only the script understands are not shown.
        assert count("form:not([hidden])") == 0
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)


def test_hostile_text_is_shown_as_text(site: str, page: BrowserPage) -> None:
    page.show(f"{site}runs/20261130t000000004z-000004.html")
    assert "<script>alert('x')</script>" in page.run("document.body.innerText")
    assert page.run("document.scripts.length") == 2
    assert page.run("document.images.length") == 0
    assert problems(page) == []


def test_on_paper_only_the_content_is_left(site: str, page: BrowserPage) -> None:
    page.show(f"{site}matrix.html", media="print")
    assert page.run("document.querySelector('nav').checkVisibility()") is False
    assert page.run("document.querySelector('.matrix').checkVisibility()") is True
    assert page.run("document.querySelector('.filters').checkVisibility()") is False
