"""Escapes untrusted text for Markdown on GitHub, so that it is displayed and has no effect.

Plans, branch names, titles, paths and messages are hostile. Words that are plain stay as they are; whatever
could mean something to GitHub is set as code, where nothing is linked, mentioned or parsed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

# Hidden characters beside those that Python itself calls unprintable: letters that draw nothing.
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159")
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")
_OUR_MARKER = re.compile(r"<!--(?=\s*infra\b)", re.IGNORECASE)
_BACKTICKS = re.compile(r"`+")

# Words that mean nothing to GitHub: letters with inner hyphens, apostrophes and slashes, numbers, lone signs.
_LEAD = "[\"'(“‘]*"
_TRAIL = "[\"')”’]*[.,;:!?…]*[\"')”’]*"
_PLAIN = re.compile(rf"{_LEAD}(?:[^\W_]+(?:['’/-][^\W\d_][^\W_]*)*|\d+(?:[.,]\d+)*%?){_TRAIL}")
_SIGNS = frozenset(("-", "–", "—", "→", "←", "↔", "+", "=", "/", "%", "&", "·", "•", "…", "±"))
# GitHub links what looks like a commit, and a list begins with a number.
_COMMIT = re.compile(r"(?<![^\W_])[0-9a-fA-F]{7,}(?![^\W_])")
_LISTED = re.compile(r"\d+[.)]")
_QUOTED = re.compile(r"`([^`]+)`([.,;:!?)]*)")
# A bracket that opens in code is looked for so many words on.
CODE_WORDS = 12
_STOP = re.compile(r"(.*[^.,;:])([.,;:]+)", re.DOTALL)

_LINK = re.compile(r"https?://[A-Za-z0-9.\-]+(?::\d+)?(?:/[A-Za-z0-9._~/%?=&#+\-]*)?")
LONGEST = 200


def visible(text: str, keep: str = "") -> str:
    """The same as `printable`, with our own markers broken in the same way."""
    return _OUR_MARKER.sub(r"\\u003c!--", printable(text, keep))


def printable(text: str, keep: str = "") -> str:
    """The text with hidden characters shown as `\\u202e`; those in `keep` stay.

    Hidden are control characters, those that turn the direction of a line, those without a width, spaces
    that are not a space, and bytes that were not UTF-8.
    """

    def show(match: re.Match[str]) -> str:
        char = match[0]
        if char in keep or (char.isprintable() and char not in _BLANK):
            return char
        code = ord(char)
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    if not (text.isascii() and text.isprintable()):
        text = _NOT_ASCII.sub(show, text)
    return text


def folded(text: str) -> str:
    """The text on one line: runs of space and line breaks become one space."""
    return visible(" ".join(text.split()))


def shortened(text: str, limit: int = LONGEST) -> str:
    """At most `limit` characters, the middle left out: both ends of a path tell something."""
    if len(text) <= limit:
        return text
    tail = limit * 2 // 5
    return f"{text[: limit - tail - 1]}…{text[-tail:]}"


def text(value: str, limit: int = 4 * LONGEST) -> str:
    """A line of prose: no HTML, link, image, mention, reference, list or emphasis comes out of it."""
    return _words(shortened(folded(value), limit), _code)


def cell(value: str, limit: int = LONGEST) -> str:
    """Prose in a cell of a table."""
    return _words(shortened(folded(value), limit), _cell_code)


def code(value: str, limit: int = LONGEST) -> str:
    """A name as inline code, with as many backticks around it as it takes."""
    return _code(shortened(folded(value), limit))


def cell_code(value: str, limit: int = LONGEST) -> str:
    """A name as inline code in a cell of a table."""
    return _cell_code(shortened(folded(value), limit))


def html_code(value: str, limit: int = LONGEST) -> str:
    """A name as code where Markdown does not reach: inside `<summary>`."""
    return f"<code>{html.escape(shortened(folded(value), limit))}</code>"


def fence(body: str, language: str = "") -> str:
    """Lines of text as they are, in a fence that they cannot close. `language` is ours."""
    lines = visible(body.replace("\r\n", "\n"), keep="\n\t").strip("\n")
    mark = "`" * max(3, _longest(lines) + 1)
    return f"{mark}{language}\n{lines}\n{mark}"


def link(words: str, url: str) -> str:
    """A link; only the words where the address is none that we would make. `words` are Markdown of ours."""
    return f"[{words}]({url})" if _LINK.fullmatch(url) else words


def _words(line: str, as_code: Callable[[str], str]) -> str:
    """A line with its plain words left alone, and each run of others set as code."""
    words = line.split()
    done: list[str] = []
    run: list[str] = []
    at = 0
    while at < len(words):
        plain = _is_plain(words[at], first=at == 0)
        end = at + 1 if plain else _end_of_code(words, at)
        together = " ".join(words[at:end])
        quoted = _QUOTED.fullmatch(together)
        if run and (plain or quoted or _STOP.fullmatch(run[-1])):
            done.append(_stopped(" ".join(run), as_code))
            run = []
        if quoted:
            done.append(as_code(quoted[1]) + quoted[2])
        elif plain:
            done.append(together)
        else:
            run.append(together)
        at = end
    return " ".join([*done, *([_stopped(" ".join(run), as_code)] if run else [])])


def _end_of_code(words: list[str], at: int) -> int:
    """Behind the last word that belongs to the code that begins here: up to its own backtick or bracket."""
    ends = range(at + 1, min(at + CODE_WORDS, len(words)) + 1)
    if words[at].startswith("`"):
        for end in ends:
            if _QUOTED.fullmatch(" ".join(words[at:end])):
                return end
    depth = 0
    for end in ends:
        depth += sum((char in "([{") - (char in ")]}") for char in words[end - 1])
        if depth <= 0:
            return end
    return at + 1


def _is_plain(word: str, *, first: bool) -> bool:
    if word in _SIGNS:
        return not (first and word.isascii())
    if word.isprintable() and not any(char.isascii() for char in word):
        return True
    if first and _LISTED.match(word):
        return False
    return _PLAIN.fullmatch(word) is not None and not _COMMIT.search(word)


def _stopped(run: str, as_code: Callable[[str], str]) -> str:
    """Code, with a full stop or comma behind it left outside."""
    match = _STOP.fullmatch(run)
    return as_code(match[1]) + match[2] if match else as_code(run)


def _code(line: str) -> str:
    marks = "`" * (_longest(line) + 1)
    padded = not line or line[0] in "` " or line[-1] in "` "
    return f"{marks} {line} {marks}" if padded else f"{marks}{line}{marks}"


def _cell_code(line: str) -> str:
    """A bar ends a cell even inside backticks, so a name that has one is spelt out in entities."""
    if "|" not in line:
        return _code(line)
    return f"<code>{''.join(c if c.isalnum() or c == ' ' else f'&#{ord(c)};' for c in line)}</code>"


def _longest(line: str) -> int:
    return max(map(len, _BACKTICKS.findall(line)), default=0)
