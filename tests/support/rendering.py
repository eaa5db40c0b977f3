"""Markdown as a host renders it: what tags come out, and what stands in the text that it would act on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from markdown_it import MarkdownIt

# Tags that our texts may bring about; GitHub allows all of them.
BLOCKS = ("p", "pre", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "ul", "ol", "li")
INLINE = ("strong", "em", "code", "br", "sub", "a")
OURS = frozenset((*BLOCKS, *INLINE, "blockquote", "h2", "h3", "h4"))
VOID = ("br", "img")
# What GitHub makes a link or an image of something else of, outside of code.
ACTS = re.compile(
    r"@\w|(?<!&)#\d|\bGH-\d|https?:|www\.|\b[0-9a-f]{7,40}\b|:\w+:|\$\w|\]\(|!\[", re.IGNORECASE
)


@dataclass
class Rendered(HTMLParser):
    """A rendered text: its tags in order, links, comments, text outside of code, and unbalanced tags."""

    tags: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    prose: str = ""
    code: str = ""
    wrong: list[str] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag; links apart."""
        self.tags.append(tag)
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.links.append(value or "")
            else:
                self.attributes.append(f"{tag} {name}")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note an end that closes something else."""
        if tag in VOID:
            return
        if not self.stack or self.stack[-1] != tag:
            self.wrong.append(f"</{tag}> in {'/'.join(self.stack)}")
        elif self.stack:
            self.stack.pop()

    def handle_data(self, data: str) -> None:
        """Text, in code or outside of it."""
        if "code" in self.stack or "pre" in self.stack or "a" in self.stack:
            self.code += data
        else:
            self.prose += data

    def handle_comment(self, data: str) -> None:
        """A hidden comment."""
        self.comments.append(data.strip())

    @property
    def foreign(self) -> list[str]:
        """Tags that are not ours, attributes that are not `open`, and text that a host would act on."""
        tags = [tag for tag in self.tags if tag not in OURS]
        attributes = [
            attribute
            for attribute in self.attributes
            if attribute not in ("details open", "ol start", "code class")
        ]
        # The kind of an alert stands in brackets of ours.
        return [*tags, *attributes, *ACTS.findall(self.prose)]


def render(body: str) -> Rendered:
    """A text in Markdown with tables and raw HTML, before any sanitizer has mended it."""
    rendered = Rendered()
    rendered.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(body))
    rendered.close()
    rendered.wrong += [f"<{tag}> stays open" for tag in rendered.stack]
    return rendered
