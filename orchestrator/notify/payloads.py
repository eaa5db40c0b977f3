"""The payloads of messages, as JSON values: Slack's Block Kit, an Adaptive Card, infra's own document.

Texts come from plans, code and names. They are put only where the receiver reads no markup: Slack's
`plain_text`, and text runs of an Adaptive Card.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.notify.model import Message, Notification

VERSION = 1
_LINK_TEXT = "Open the run"
# Limits of Slack: its header and sections in characters.
_LONGEST_HEADER = 150
_LONGEST_SECTION = 2900
# Characters of `text` that Slack, and services like it, take.
_LONGEST_TEXT = 12_000
# Bytes: Teams takes 28 KB in all.
_LARGEST_BODY = 24_000


def _slack_payload(message: Message) -> dict[str, Any]:
    """A message of Block Kit; `text` is shown in notifications, and by compatible services."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(_cut(message.headline, _LONGEST_HEADER))}
    ]
    for title, members in message.groups():
        sections = _sections([title, *(_describe(message, each) for each in members)])
        blocks += [{"type": "section", "text": _plain(section)} for section in sections]
    footer = _footer(message)
    if footer:
        blocks.append({"type": "context", "elements": [_plain(footer)]})
    if message.url:
        link = {"type": "mrkdwn", "text": f"<{_escape(message.url).replace('|', '%7C')}|{_LINK_TEXT}>"}
        blocks.append({"type": "context", "elements": [link]})
    return {
        "text": _fallback(message),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }


def _teams_payload(message: Message) -> dict[str, Any]:
    """A message with an Adaptive Card, for workflows of Microsoft Teams; what does not fit is counted."""
    payload = _card(message)
    while len(json.dumps(payload, ensure_ascii=False).encode()) > _LARGEST_BODY and message.notifications:
        message = message.without_last()
        payload = _card(message)
    return payload


def _card(message: Message) -> dict[str, Any]:
    blocks = [_rich_text(message.headline, weight="Bolder", size="Medium")]
    for title, members in message.groups():
        blocks.append(_rich_text(title, weight="Bolder"))
        blocks += [_rich_text(line) for each in members for line in _describe(message, each).split("\n")]
    footer = _footer(message)
    if footer:
        blocks.append(_rich_text(footer))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    if message.url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": _LINK_TEXT, "url": message.url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _webhook_payload(message: Message) -> dict[str, Any]:
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
    "slack": _slack_payload,
    "teams": _teams_payload,
    "webhook": _webhook_payload,
}


def _as_text(message: Message) -> str:
    lines = [message.headline]
    for title, members in message.groups():
        lines += [title, *(_describe(message, each) for each in members)]
    return "\n".join(line for line in [*lines, _footer(message), message.url] if line)


def _describe(message: Message, notification: Notification) -> str:
    """The lines of one notification."""
    link = notification.url if notification.url != message.url else ""
    details = (f"    {detail}" for detail in notification.details)
    return "\n".join([f"- {notification.summary} {link}".rstrip(), *details])


def _sections(items: Sequence[str]) -> Iterator[str]:
    """The items in as few texts as Slack's limit lets them be in; nothing is left out."""
    section = ""
    for item in items:
        if section and len(section) + 1 + len(item) > _LONGEST_SECTION:
            yield section
            section = ""
        section = f"{section}\n{item}" if section else _cut(item, _LONGEST_SECTION)
    yield section


def _fallback(message: Message) -> str:
    """The whole message in one text, for services that read no blocks; what is too long is counted."""
    text = _escape(_as_text(message)).replace("@", "@\u200b")
    while len(text) > _LONGEST_TEXT and message.notifications:
        message = message.without_last()
        text = _escape(_as_text(message)).replace("@", "@\u200b")
    return _cut(text, _LONGEST_TEXT)


def _footer(message: Message) -> str:
    return f"and {message.left_out} more" if message.left_out else ""


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _rich_text(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _escape(text: str) -> str:
    """Slack's three control characters, escaped: no mention and no link is made of a text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
