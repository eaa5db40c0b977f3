"""The payloads of messages, as JSON values: Slack's Block Kit, an Adaptive Card, infra's own document.

Texts come from plans, code and names. They are put only where the receiver reads no markup: Slack's
`plain_text`, and text runs of an Adaptive Card.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.notify.model import Message, Notification

VERSION = 1
_LINK_TEXT = "Open the run"
# Limits of Slack: its header and sections in characters.
_LONGEST_HEADER = 150
_LONGEST_SECTION = 2900
# Bytes: Teams takes 28 KB in all.
_LARGEST_BODY = 24_000


def slack_payload(message: Message) -> dict[str, Any]:
    """A message of Block Kit; `text` is shown in notifications, and by compatible services."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(_cut(message.headline, _LONGEST_HEADER))}
    ]
    for title, members in message.groups():
        lines = "\n".join([title, *_lines(message, members)])
        blocks.append({"type": "section", "text": _plain(_cut(lines, _LONGEST_SECTION))})
    footer = _footer(message)
    if footer:
        blocks.append({"type": "context", "elements": [_plain(footer)]})
    if message.url:
        link = {"type": "mrkdwn", "text": f"<{_escape(message.url).replace('|', '%7C')}|{_LINK_TEXT}>"}
        blocks.append({"type": "context", "elements": [link]})
    return {
        "text": _cut(_escape(_as_text(message)).replace("@", "@\u200b"), _LONGEST_SECTION),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }


def teams_payload(message: Message) -> dict[str, Any]:
    """A message with an Adaptive Card, as workflows of Microsoft Teams take it."""
    blocks = [_rich_text(message.headline, weight="Bolder", size="Medium")]
    for title, members in message.groups():
        blocks.append(_rich_text(title, weight="Bolder"))
        blocks += [_rich_text(line) for line in _lines(message, members)]
    footer = _footer(message)
    if footer:
        blocks.append(_rich_text(footer))
    body = _cut_blocks(blocks)
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if message.url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": _LINK_TEXT, "url": message.url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def webhook_payload(message: Message) -> dict[str, Any]:
    """The document of a signed webhook: docs/schemas/notification-webhook.schema.json."""
    notifications = [
        {"id": each.id, "title": each.title, **asdict(each), "environment": each.environment or None}
        for each in message.notifications
    ]
    return {
        "version": VERSION,
        "repository": message.repository,
        "url": message.url,
        "notifications": notifications,
        "left_out": message.left_out,
    }


PAYLOADS: Mapping[str, Callable[[Message], dict[str, Any]]] = {
    "slack": slack_payload,
    "teams": teams_payload,
    "webhook": webhook_payload,
}


def _as_text(message: Message) -> str:
    lines = [message.headline]
    for title, members in message.groups():
        lines += [title, *_lines(message, members)]
    return "\n".join(line for line in [*lines, _footer(message), message.url] if line)


def _lines(message: Message, notifications: tuple[Notification, ...]) -> Iterator[str]:
    for each in notifications:
        link = each.url if each.url != message.url else ""
        yield f"- {each.summary} {link}".rstrip()
        yield from (f"    {detail}" for detail in each.details)


def _footer(message: Message) -> str:
    return f"and {message.left_out} more" if message.left_out else ""


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _rich_text(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


def _cut_blocks(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first blocks that Teams takes, with a last line where some are left out."""
    sizes = itertools.accumulate(len(json.dumps(block, ensure_ascii=False).encode()) for block in blocks)
    count = sum(size <= _LARGEST_BODY for size in sizes)
    return blocks if count == len(blocks) else [*blocks[:count], _rich_text("The rest is too long.")]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _escape(text: str) -> str:
    """Slack's three control characters, escaped: no mention and no link is made of a text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
