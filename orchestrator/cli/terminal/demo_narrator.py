"""The demo on a terminal: chapters, scenes, commands, what they print, what was checked, honest times."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

MARGIN = "  "
# Of a long output the beginning and the end are shown; nobody watches the middle of six diffs.
HEAD, TAIL = 44, 14
# Seconds; shorter times are not printed.
SHORTEST_TIME = 0.1


class RichNarrator:
    """Tells the demo on a console. With `picture`, another console that records, some scenes go there too:
    what is run, what is checked, and the beginning of what GitHub shows, but not what commands print.
    """

    def __init__(self, console: Console, picture: Console | None = None) -> None:
        self._console = console
        self._picture = picture
        self._pictured = 0
        self._shown = 0
        self._tail: deque[str] = deque()
        self._folded = 0
        self.seconds = 0.0

    def chapter(self, title: str) -> None:
        """A line of its own."""
        from rich.rule import Rule
        from rich.text import Text

        self._console.print(Text())
        self._console.print(Rule(Text(title, style="bold"), characters="═", style="magenta"))

    def scene(self, title: str, text: str, *, pictured: int) -> None:
        """A rule with the title, then what is about to be seen."""
        from rich.rule import Rule
        from rich.text import Text

        self._pictured = pictured
        self._print(Text())
        self._print(Rule(Text(title, style="bold"), align="left", style="cyan"))
        self._print(Text(text, style="italic"))

    def command(self, text: str, who: str = "") -> None:
        """The command as a person would type it, and who does when that is somebody else."""
        from rich.text import Text

        self._shown = self._folded = 0
        by = (f"   # {who}", "dim") if who else ""
        self._console.print()
        self._print(Text.assemble(("$ ", "bold green"), (text, "bold"), by))

    def line(self, text: str, *, aside: bool) -> None:
        """A line of its output, its colours kept; what it says aside is dimmed."""
        from rich.text import Text

        if aside:
            self._console.print(Text(MARGIN + text, style="dim"))
        elif self._shown < HEAD:
            self._shown += 1
            self._output(text)
        else:
            self._tail.append(text)
            if len(self._tail) > TAIL:
                self._tail.popleft()
                self._folded += 1

    def page(self, title: str, body: str) -> None:
        """A comment or an issue in a frame, its Markdown as a terminal shows it."""
        from rich.markdown import Markdown
        from rich.padding import Padding
        from rich.panel import Panel

        from orchestrator.report.plain import render_plain

        text = Markdown(render_plain(body), code_theme="ansi_dark")
        framed = Panel(text, title=title, title_align="left", border_style="blue")
        padding = Padding(framed, (1, 0, 0, len(MARGIN)))
        _print_folded(self._console, padding, HEAD, TAIL)
        if self._picture and self._pictured:
            _print_folded(self._picture, padding, self._pictured, 0)

    def checked(self, text: str) -> None:
        """What was looked at."""
        from rich.text import Text

        self._print(Text.assemble((f"{MARGIN}✓ ", "bold green"), (text, "green")))

    def took(self, seconds: float) -> None:
        """How long the command took, which the total adds up."""
        from rich.text import Text

        if self._folded:
            self._console.print(Text(f"{MARGIN}… {self._folded} more lines …", style="dim italic"))
        while self._tail:
            self._output(self._tail.popleft())
        self.seconds += seconds
        if seconds >= SHORTEST_TIME:
            self._console.print(Text(f"{MARGIN}{seconds:.1f} s", style="dim"))

    def _output(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text(MARGIN) + Text.from_ansi(text))

    def _print(self, what: RenderableType) -> None:
        self._console.print(what)
        if self._picture and self._pictured:
            self._picture.print(what)


def _print_folded(console: Console, what: RenderableType, head: int, tail: int) -> None:
    """Print something without its middle, where it is long."""
    from rich.segment import SegmentLines
    from rich.text import Text
    from rich.theme import Theme

    with console.use_theme(Theme({"markdown.code": "cyan"})):
        lines = console.render_lines(what, pad=False)
    hidden = len(lines) - head - tail
    if hidden <= 1:
        console.print(SegmentLines(lines, new_lines=True))
        return
    console.print(SegmentLines(lines[:head], new_lines=True))
    console.print(Text(f"{MARGIN}… {hidden} more lines …", style="dim italic"))
    console.print(SegmentLines(lines[len(lines) - tail :], new_lines=True))
