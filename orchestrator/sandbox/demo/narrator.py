"""The interface that shows the demo."""

from __future__ import annotations

from typing import Protocol


class Narrator(Protocol):
    """Shows the demo to its audience."""

    def chapter(self, title: str) -> None:
        """Several scenes begin that belong together."""

    def scene(self, title: str, text: str, *, pictured: int) -> None:
        """A scene begins; `pictured` is how much of a page belongs in a picture of the demo, in lines: 0 when
        the whole scene is not in it."""

    def command(self, text: str, who: str = "") -> None:
        """A command is run now, by `who` where that is not the one at the keyboard."""

    def line(self, text: str, *, aside: bool) -> None:
        """A line that the command printed; `aside` for standard error, where progress goes."""

    def page(self, title: str, body: str) -> None:
        """A comment or an issue on GitHub, in our Markdown, as its readers see it."""

    def checked(self, text: str) -> None:
        """Something was looked at and is as it should be."""

    def took(self, seconds: float) -> None:
        """The command has ended, after so long."""
