"""A page before it is rendered, and parts that several pages have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PortalPage:
    """A page: its path in the portal, its title, the template, and what the template shows.

    `model` consists of frozen dataclasses and plain values: its `repr` says whether the page has changed.
    """

    path: str
    title: str
    template: str
    section: str
    model: Mapping[str, object]

    @property
    def root(self) -> str:
        """The way from the page to the portal's root: empty, or `../`."""
        return "../" * self.path.count("/")


@dataclass(frozen=True)
class PageLink:
    """A text that leads to another page of the portal; `path` is empty where there is none."""

    text: str
    path: str = ""
