"""The demo on a terminal: scenes, commands, what they print, what was checked, honest times."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

MARGIN = "  "
# Of a long output the beginning and the end are shown; nobody watches the middle of six diffs.
HEAD, TAIL = 44, 14
# Scenes whose text goes into the picture of the README: what is affected and why, a plan.
PICTURED = ("6/", "7/")


class RichNarrator:
    """Tells the demo on a console. With `picture`, another console that records, some scenes go there too."""

    def __init__(self, console: Console, picture: Console | None = None) -> None:
        self._console = console
        self._picture = picture
        self._pictured = False
        self._shown = 0
        self._tail: deque[str] = deque()
        self._folded = 0
        self.seconds = 0.0

    def scene(self, title: str, text: str) -> None:
        """A rule with the title, then what is about to be seen."""
        from rich.rule import Rule
        from rich.text import Text

        self._pictured = self._picture is not None and title.startswith(PICTURED)
        self._print(Rule(Text(title, style="bold"), align="left", style="cyan"))
        self._print(Text(text, style="italic"))

    def command(self, text: str) -> None:
        """The command as a person would type it."""
        from rich.text import Text

        self._shown = self._folded = 0
        self._print(Text.assemble(("\n$ ", "bold green"), (text, "bold")))

    def line(self, text: str, *, aside: bool) -> None:
        """A line of its output, its colours kept; what it says aside is dimmed."""
        from rich.text import Text

        if aside:
            self._print(Text(MARGIN + text, style="dim"))
        elif self._shown < HEAD:
            self._shown += 1
            self._output(text)
        else:
            self._tail.append(text)
            if len(self._tail) > TAIL:
                self._tail.popleft()
                self._folded += 1

    def checked(self, text: str) -> None:
        """What was looked at."""
        from rich.text import Text

        self._print(Text.assemble((f"{MARGIN}✓ ", "bold green"), (text, "green")))

    def took(self, seconds: float) -> None:
        """How long the command took, which the total adds up."""
        from rich.text import Text

        if self._folded:
            self._print(Text(f"{MARGIN}… {self._folded} more lines …", style="dim italic"))
        while self._tail:
            self._output(self._tail.popleft())
        self.seconds += seconds
        self._print(Text(f"{MARGIN}{seconds:.1f} s", style="dim"))

    def _output(self, text: str) -> None:
        from rich.text import Text

        self._print(Text(MARGIN) + Text.from_ansi(text))

    def _print(self, what: object) -> None:
        for console in (self._console, self._picture if self._pictured else None):
            if console is not None:
                console.print(what)
