"""Make the pictures of docs/portal.md again: python -m tests.support.portal_pictures (wants Chromium).

They show the estate of the portal's tests. On Debian: apt-get install chromium.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from orchestrator.portal.build import build_portal
from orchestrator.portal.folder import PortalFolder
from orchestrator.portal.server import PortalServer
from tests.support.browser import browser, find_browser
from tests.support.png import packed
from tests.support.portal import make_source

FOLDER = Path(__file__).parents[2] / "docs" / "portal"
# Of one picture, in bytes: the repository carries them all.
LARGEST = 120_000


@dataclass(frozen=True)
class PortalPicture:
    """A picture: its name, the page, and its size in pixels."""

    name: str
    path: str
    height: int
    width: int = 1100
    dark: bool = False


PICTURES = (
    PortalPicture("now", "index.html", 760),
    PortalPicture("matrix", "matrix.html", 640),
    PortalPicture("stack", "stacks/dev--database.html", 900),
    PortalPicture("run", "runs/20261130t000000003z-000003.html", 520),
    PortalPicture("pull-request", "pull-requests/198.html", 560),
    PortalPicture("drift", "drift.html", 760, dark=True),
    PortalPicture("flow", "flow.html", 900),
    PortalPicture("parity", "parity.html", 560),
    PortalPicture("phone", "stacks/dev--database.html", 800, width=400, dark=True),
)


def main() -> int:
    """Make all of them; the exit code."""
    path = find_browser()
    if path is None:
        sys.stderr.write("There is no Chromium here. On Debian: apt-get install chromium.\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = PortalFolder.open(Path(name) / "site")
        build_portal(make_source(24, 90, "Error 409: the instance is being updated"), folder)
        with PortalServer(folder, 0) as server, browser(path) as chromium:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            page = chromium.open_page()
            for picture in PICTURES:
                page.show(f"{server.url}{picture.path}", width=picture.width, dark=picture.dark)
                # How old it is would be another number each time.
                page.run("document.querySelector('.built').textContent = ''")
                data = packed(page.picture(picture.height, picture.width))
                (FOLDER / f"{picture.name}.png").write_bytes(data)
                sys.stderr.write(f"{picture.name}.png: {len(data):,} bytes\n")
                if len(data) > LARGEST:
                    sys.stderr.write(f"{picture.name}.png is larger than {LARGEST:,} bytes.\n")
            server.close()
            thread.join()
    return int(any(file.stat().st_size > LARGEST for file in FOLDER.glob("*.png")))


if __name__ == "__main__":
    raise SystemExit(main())
