"""Shell blocks of a page, and a shell that types them: the way in which readers use a page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.warm import programs

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>sh|console)(?: (?P<info>[^\n]+))?\n(?P<lines>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
NO_RUN = "no-run: "


@dataclass(frozen=True)
class ShellBlock:
    """A fenced block of shell lines; `info` is what follows its language."""

    lines: str
    info: str = ""

    @property
    def reason(self) -> str:
        """Why it does not run; empty where it does."""
        return self.info.removeprefix(NO_RUN) if self.info.startswith(NO_RUN) else ""


def blocks_of(page: str) -> tuple[ShellBlock, ...]:
    """The shell blocks of a page, in order; of what a terminal showed, the lines that were typed."""
    return tuple(
        ShellBlock(_typed(match["kind"], match["lines"]), match["info"] or "")
        for match in _FENCE.finditer(page)
    )


def _typed(kind: str, lines: str) -> str:
    if kind == "sh":
        return lines
    return "".join(f"{line[2:]}\n" for line in lines.splitlines() if line.startswith("$ "))


def answering(folder: Path, answers: Mapping[str, str], codes: Mapping[str, int] | None = None) -> Path:
    """Make a folder whose `infra` adds options in place of a person's answers.

    `answers` has options by the command and words that follow it somewhere; `codes` a command's exit code
    that is as good as 0.
    """
    programs(folder)
    (folder / "infra").rename(folder / "infra-itself")
    cases = "".join(f'  {_pattern(words)}) set -- "$@" {options};;\n' for words, options in answers.items())
    ends = "".join(f'  "{name} {code}") code=0;;\n' for name, code in (codes or {}).items())
    script = folder / "infra"
    script.write_text(
        f'#!/bin/sh\ncase " $* " in\n{cases}esac\n'
        f'infra-itself "$@"\ncode=$?\ncase "$1 $code" in\n{ends}esac\nexit $code\n'
    )
    script.chmod(0o755)
    return folder


def _pattern(words: str) -> str:
    """The shell's pattern of ` COMMAND … WORD … `."""
    return "*".join(f'" {word}"' for word in words.split()) + '" "*'


def type_in(lines: str, folder: Path, env: Mapping[str, str]) -> str:
    """Run lines in one shell that ends at the first failure; what they printed."""
    ran = subprocess.run(
        ["bash", "-eux", "-c", lines], cwd=folder, env=env, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr
