"""Renders pages by templates in which every value is escaped."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from orchestrator import __version__
from orchestrator.portal.page import PortalPage
from orchestrator.report.escape import printable
from orchestrator.report.words import plural
from orchestrator.state.records import short_commit

# Nothing inline, nothing from another host; `data:` is the icon.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'"
)
SECTIONS: Mapping[str, tuple[str, str]] = {
    "now": ("Now", "index.html"),
    "matrix": ("Matrix", "matrix.html"),
    "runs": ("Runs", "runs.html"),
    "pull-requests": ("Pull requests", "pull-requests.html"),
    "drift": ("Drift", "drift.html"),
    "flow": ("Flow", "flow.html"),
    "parity": ("Parity", "parity.html"),
}
# Each level has a sign of its own: colour alone says nothing.
SIGNS: Mapping[str, str] = {"good": "✓", "busy": "●", "warn": "▲", "bad": "✕", "unknown": "?", "none": "–"}


def _folder(name: str) -> Traversable:
    return files("orchestrator.portal").joinpath(name)


def read_assets() -> dict[str, bytes]:
    """The style sheet and the script, by their paths in the portal."""
    return {
        f"assets/{file.name}": file.read_bytes() for file in _folder("assets").iterdir() if file.is_file()
    }


@functools.cache
def _templates_digest() -> str:
    """A hash of everything, beside its model, that a page is rendered from."""
    digest = hashlib.sha256(__version__.encode())
    for file in sorted(_folder("templates").iterdir(), key=lambda item: item.name):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def show(value: object) -> object:
    """What becomes of a value before it is escaped: hidden characters are shown."""
    if isinstance(value, Markup):
        return value
    return "–" if value is None else printable(str(value), keep="\n")


def _short_time(moment: str | None) -> str:
    """`2026-11-30 12:00` of a moment in UTC; the text itself where it is none."""
    return moment[:16].replace("T", " ") if moment and moment.endswith("Z") else moment or "–"


def duration(seconds: float | None) -> str:
    """`42 s`, `3 min`, `1.5 h`."""
    if seconds is None:
        return "–"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3600:.1f} h"


def web_address(link: str | None) -> str:
    """A link that may be followed; empty for any other scheme than https and http."""
    return link if link and link.startswith(("https://", "http://")) else ""


class PageRenderer:
    """Renders pages of one portal. `name` is the repository's."""

    def __init__(self, name: str) -> None:
        self._environment = Environment(
            loader=FunctionLoader(lambda name: _folder("templates").joinpath(name).read_text("utf-8")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=show,
        )
        self._environment.filters |= {
            "time": _short_time,
            "duration": duration,
            "commit": lambda commit: short_commit(commit) if commit else "–",
            "web_address": web_address,
            "plural": lambda count, word: plural(count, word),
        }
        self._environment.globals |= {"policy": POLICY, "sections": SECTIONS, "signs": SIGNS, "portal": name}

    def render(self, page: PortalPage) -> str:
        """The page as HTML."""
        return self._environment.get_template(page.template).render(page.model, page=page)

    def digest(self, page: PortalPage) -> str:
        """A hash that differs where the rendered page does."""
        text = f"{_templates_digest()} {self._environment.globals['portal']} {page!r}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
