"""Builds the portal: all pages of a source, into a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.portal.axes import axes_of_all
from orchestrator.portal.estate_pages import matrix_page, now_page, stack_pages
from orchestrator.portal.figure_pages import drift_page, flow_page, parity_page
from orchestrator.portal.folder import PortalFolder
from orchestrator.portal.history_pages import (
    MOST_PULL_REQUESTS,
    list_pull_requests,
    pull_request_pages,
    run_pages,
    runs_with_page,
)
from orchestrator.portal.page import PortalPage
from orchestrator.portal.rendering import PageRenderer, read_assets
from orchestrator.portal.source import PortalSource


@dataclass(frozen=True)
class PortalBuild:
    """What a build did: how many pages there are, and how many files were written and removed."""

    pages: int
    written: int
    removed: int


def make_pages(source: PortalSource) -> Iterator[PortalPage]:
    """Every page, in a fixed order."""
    axes = axes_of_all(source)
    runs = runs_with_page(source)
    linked = frozenset(runs)
    yield now_page(source, axes)
    yield matrix_page(source, axes)
    yield drift_page(source, axes)
    yield flow_page(source)
    yield parity_page(source)
    pull_requests = list_pull_requests(source)
    numbers = frozenset(item.number for item in pull_requests[:MOST_PULL_REQUESTS])
    yield from run_pages(source, runs, numbers)
    yield from pull_request_pages(source, pull_requests, linked)
    yield from stack_pages(source, axes, linked, numbers)


def build_portal(source: PortalSource, folder: PortalFolder) -> PortalBuild:
    """Writes what has changed. If it is killed, its files are whole, and the next build does the rest."""
    renderer = PageRenderer(source.name)
    for path, data in read_assets().items():
        folder.write(path, data)
    # Every page shows by it how old the portal is, without being written again.
    built = json.dumps(f"{source.now:%Y-%m-%dT%H:%M:%SZ}")
    folder.write("assets/built.js", f"document.documentElement.dataset.built = {built};\n".encode())
    count = 0
    for page in make_pages(source):
        count += 1
        digest = renderer.digest(page)
        if not folder.is_current(page.path, digest):
            folder.write(page.path, renderer.render(page).encode("utf-8", "replace"), digest)
    return PortalBuild(count, folder.count, folder.finish())
