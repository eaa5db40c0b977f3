"""Chromium without a window, driven through a pipe: opens a page and takes its picture."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--force-color-profile=srgb",
    "--disable-lcd-text",
    "--remote-debugging-pipe",
)
# Of the pipe, which Chromium expects at 3 and 4: above what anything else here uses.
HIGH = 20


def find_browser() -> str | None:
    """The browser's path; None where none is installed."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One browser with one page at a time."""

    def __init__(self, sending: int, receiving: int) -> None:
        self._out = os.fdopen(sending, "wb", buffering=0)
        self._in = os.fdopen(receiving, "rb")
        self._number = 0
        self._left = b""
        # Events of pages, by session, until somebody asks for them.
        self._events: dict[str, list[dict[str, Any]]] = {}

    def picture(
        self,
        url: str,
        *,
        width: int,
        height: int,
        scale: float = 1.0,
        mobile: bool = False,
        end: bool = False,
    ) -> bytes:
        """A PNG of the page, `width` wide and at most `height` high, in CSS pixels; of its end if wanted."""
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        metrics = {"width": width, "height": 900, "deviceScaleFactor": scale, "mobile": mobile}
        self._call("Page.enable", {}, session)
        self._call("Emulation.setDeviceMetricsOverride", metrics, session)
        self._call("Page.navigate", {"url": url}, session)
        self._until("Page.loadEventFired")
        size = self._call("Page.getLayoutMetrics", {}, session)["cssContentSize"]
        top = max(0, size["height"] - height) if end else 0
        clip = {"x": 0, "y": top, "width": width, "height": min(height, size["height"]), "scale": 1}
        parameters = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        data: str = self._call("Page.captureScreenshot", parameters, session)["data"]
        self._call("Target.closeTarget", {"targetId": target})
        return base64.b64decode(data)

    def open_page(self) -> BrowserPage:
        """An empty page to work with."""
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = BrowserPage(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        return page

    def close(self) -> None:
        """End it."""
        self._call("Browser.close", {})
        self._out.close()
        self._in.close()

    def _call(self, method: str, params: dict[str, Any], session: str = "") -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if "method" in answer:
                self._events.setdefault(answer.get("sessionId", ""), []).append(answer)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _until(self, event: str) -> None:
        while self._next().get("method") != event:
            pass

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            more = self._in.read1(1 << 16)
            if not more:
                raise RuntimeError("the browser ended")
            self._left += more
        first, _, self._left = self._left.partition(b"\0")
        answer: dict[str, Any] = json.loads(first)
        return answer


@dataclass(frozen=True)
class BrowserPage:
    """One page of a browser, for tests that look at it, press keys and run scripts."""

    browser: Browser
    session: str

    def call(self, method: str, **params: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.browser._call(method, params, self.session)

    def show(self, url: str, *, width: int = 1440, dark: bool = False, media: str = "") -> None:
        """Load an address in a window of this width, in pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.take_events()
        self.call("Page.navigate", url=url)
        self.wait_for_load()

    def wait_for_load(self) -> None:
        """Wait until a page has loaded since events were taken last."""
        while not any(event["method"] == "Page.loadEventFired" for event in self._kept()):
            event = self.browser._next()
            if "method" in event:
                self.browser._events.setdefault(event.get("sessionId", ""), []).append(event)

    def run(self, script: str) -> Any:
        """The value of an expression, or of the promise that it is; RuntimeError where it throws."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key: `Tab`, `Enter`."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text
            )

    def picture(self, height: int = 900, width: int = 1440) -> bytes:
        """A PNG of the top of the page."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        data: str = self.call("Page.captureScreenshot", format="png", clip=clip)["data"]
        return base64.b64decode(data)

    def take_events(self) -> list[dict[str, Any]]:
        """What has happened since the last time: messages, exceptions, requests, dialogs."""
        events = list(self._kept())
        self._kept().clear()
        return events

    def _kept(self) -> list[dict[str, Any]]:
        return self.browser._events.setdefault(self.session, [])


@contextmanager
def browser(path: str) -> Iterator[Browser]:
    """A browser with a profile of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        theirs_in, ours_out = _pipe()
        ours_in, theirs_out = _pipe()
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": folder}
        ends = [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
        quiet = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        argv = [path, *FLAGS, f"--user-data-dir={Path(folder) / 'profile'}", "about:blank"]
        pid = os.posix_spawn(path, argv, environment, file_actions=[*ends, *quiet])
        os.close(theirs_in)
        os.close(theirs_out)
        driver = Browser(ours_out, ours_in)
        try:
            yield driver
        finally:
            driver.close()
            os.waitpid(pid, 0)


def _pipe() -> tuple[int, int]:
    """A pipe's reading and writing ends, out of the way of 3 and 4."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, HIGH) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]
