"""GitHub-flavoured Markdown as a reader sees it, with the HTML that GitHub lets through and no other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from orchestrator.sandbox.github.html import EMPTY, Html

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

_ELEMENTS = """h1 h2 h3 h4 h5 h6 br b i strong em a pre code tt div ins del sup sub p ol ul li table thead
    tbody tfoot tr td th blockquote dl dt dd kbd q samp var hr s strike summary details abbr cite dfn mark
    small span wbr caption"""
_ALLOWED = frozenset(_ELEMENTS.split())
# What is between these is not shown either.
_SWALLOWED = ("script", "style", "title", "textarea", "iframe", "noscript", "svg", "math", "template", "xmp")
_ATTRIBUTES = {"a": ("href", "title"), "details": ("open",), "ol": ("start",)}
_EVERYWHERE = ("align", "colspan", "rowspan")
# Classes that rendering sets; any other is dropped.
_ALERTS = ("note", "tip", "important", "warning", "caution")
_CLASS = re.compile(
    rf"language-[\w+-]{{1,30}}|alert alert-(?:{'|'.join(_ALERTS)})|alert-title|added|removed|changed"
)
_ALIGNS = {f"text-align:{side}": side for side in ("left", "center", "right")}
_SAFE = re.compile(r"(?:https?://|mailto:|/|#|\.{0,2}/|[\w.-]+(?:[/?#]|$))", re.IGNORECASE)
_LINK = re.compile(
    r"(?P<url>https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]])"
    r"|(?<![\w/@`])@(?P<user>[A-Za-z\d](?:[A-Za-z\d-]{0,38})(?:/[\w-]+)?)(?![\w@])"
    r"|(?<![\w/#&])#(?P<number>\d{1,9})\b"
)
_LINES = {"+": "added", "-": "removed", "!": "changed"}
_PLAIN = ("a", "code", "pre", "tt")
_TASK = re.compile(r"\[([ xX])\] ")


def render(text: str, home: str) -> Html:
    """The text as HTML. `home` is the repository's page, to which `#12` and the like belong.

    Mentions become links, so that one that was not meant is seen.
    """
    parser = _parser()
    tokens = parser.parse(text)
    _mark_alerts(tokens)
    cleaner = _Cleaner(home)
    cleaner.feed(parser.renderer.render(tokens, parser.options, {}))
    return cleaner.result()


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # GitHub breaks lines in comments where the text breaks them.
    options = {"html": True, "breaks": True}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    parser.add_render_rule("fence", _fence)
    return parser


def _fence(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    if tokens[at].info.strip() == "diff":
        return _diff(tokens[at].content)
    return type(renderer).fence(renderer, tokens, at, options, env)


def _diff(text: str) -> str:
    """A diff with its lines coloured."""
    lines = []
    for line in text.splitlines(keepends=True):
        kind = _LINES.get(line[:1])
        lines.append(f'<span class="{kind}">{escape(line)}</span>' if kind else escape(line))
    return f'<pre><code class="language-diff">{"".join(lines)}</code></pre>\n'


def _mark_alerts(tokens: list[Token]) -> None:
    """A quotation that begins with `[!WARNING]` is an alert."""
    for at, token in enumerate(tokens[:-2]):
        inline = tokens[at + 2]
        if token.type != "blockquote_open" or inline.type != "inline":
            continue
        match = re.match(r"\[!(\w+)\][ \t]*(\n|$)", inline.content)
        if match and match[1].lower() in _ALERTS and inline.children:
            kind = match[1].lower()
            token.attrSet("class", f"alert alert-{kind}")
            del inline.children[: 2 if len(inline.children) > 1 else 1]
            title = type(token)("html_inline", "", 0)
            title.content = f'<strong class="alert-title">{kind.title()}</strong><br>'
            inline.children.insert(0, title)


class _Cleaner(HTMLParser):
    """Writes HTML again with what is allowed; every element that was opened is closed."""

    def __init__(self, home: str) -> None:
        super().__init__(convert_charrefs=True)
        self._home = home
        self._out: list[str] = []
        self._open: list[str] = []
        self._swallowing = ""
        self._item_begins = False

    def result(self) -> Html:
        """What was written, all closed."""
        self.close()
        self._out += [f"</{name}>" for name in reversed(self._open)]
        self._open.clear()
        return Html("".join(self._out))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._swallowing:
            return
        if tag in _SWALLOWED:
            self._swallowing = tag
        elif tag == "img":
            # Nothing is fetched from anywhere: an image is shown as a link to it.
            attributes = dict(attrs)
            href = attributes.get("src") or ""
            link = escape(href) if _SAFE.match(href) else ""
            self._out.append(
                f'<a class="image" href="{link}">[image: {escape(attributes.get("alt") or "")}]</a>'
            )
        elif tag in _ALLOWED:
            self._out.append(f"<{tag}{''.join(self._attribute(tag, *attr) for attr in attrs)}>")
            if tag not in EMPTY:
                self._open.append(tag)
            self._item_begins = tag == "li" or (self._item_begins and tag == "p")

    def handle_endtag(self, tag: str) -> None:
        if self._swallowing:
            self._swallowing = "" if tag == self._swallowing else self._swallowing
        elif tag in self._open:
            while True:
                name = self._open.pop()
                self._out.append(f"</{name}>")
                if name == tag:
                    return

    def handle_data(self, data: str) -> None:
        if self._swallowing:
            return
        task = _TASK.match(data) if self._item_begins else None
        if task:
            checked = " checked" if task[1] != " " else ""
            self._out.append(f'<input type="checkbox" disabled{checked}> ')
            data = data[task.end() :]
        if data.strip():
            self._item_begins = False
        plain = any(name in _PLAIN for name in self._open)
        self._out.append(escape(data) if plain else self._linked(data))

    def _attribute(self, tag: str, name: str, value: str | None) -> str:
        if name == "class" and value and _CLASS.fullmatch(value):
            return f' class="{value}"'
        if name == "style" and tag in ("td", "th") and value in _ALIGNS:
            return f' align="{_ALIGNS[value]}"'
        if name not in (*_EVERYWHERE, *_ATTRIBUTES.get(tag, ())):
            return ""
        if name == "href" and not _SAFE.match(value or ""):
            return ""
        return f" {name}" if value is None else f' {name}="{escape(value)}"'

    def _linked(self, text: str) -> str:
        """Addresses, mentions and numbers of issues as links."""
        out, at = [], 0
        for match in _LINK.finditer(text):
            label = escape(match[0])
            if match["url"]:
                link = f'<a href="{label}">{label}</a>'
            elif match["user"]:
                link = f'<a class="mention" href="/{escape(match["user"])}">{label}</a>'
            else:
                link = (
                    f'<a class="issue-link" href="{escape(self._home)}/issues/{match["number"]}">{label}</a>'
                )
            out += [escape(text[at : match.start()]), link]
            at = match.end()
        return "".join([*out, escape(text[at:])])
