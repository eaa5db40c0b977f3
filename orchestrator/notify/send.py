"""Sends notifications to the configured channels: each gets one message with what it asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal

from orchestrator.config.model import Config
from orchestrator.config.notify import NotifyChannel
from orchestrator.engine.origin import origin_of
from orchestrator.errors import ForgeError
from orchestrator.masking import Masker
from orchestrator.notify.delivery import deliver, read_variable, signature_headers
from orchestrator.notify.model import SEVERITIES, Message, Notification
from orchestrator.notify.payloads import PAYLOADS
from orchestrator.report.escape import folded

# A message has so many notifications at most, each with so many lines below it: the services cut or refuse
# what is longer, and nobody reads it.
MOST = 20
MOST_DETAILS = 3
LONGEST_LINE = 200
LONGEST_URL = 1000


@dataclass(frozen=True)
class Delivery:
    """What became of a channel's message: `sent`, `failed` with a `problem`, or `nothing` to send."""

    channel: str
    kind: str
    result: Literal["sent", "failed", "nothing"]
    notifications: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Sender:
    """Sends to the channels of a configuration. `repository` is OWNER/NAME, `url` the address of the job.

    `now` is the time that signatures contain.
    """

    config: Config
    environ: Mapping[str, str]
    now: datetime
    repository: str = ""
    url: str = ""

    @classmethod
    def of_job(cls, config: Config, environ: Mapping[str, str], now: datetime) -> Sender:
        """A sender that names the repository and the run of a job; neither of them outside of one."""
        link = origin_of(environ).link
        return cls(config, environ, now, environ.get("GITHUB_REPOSITORY", "") if link else "", link)

    def send(
        self, notifications: Iterable[Notification], channels: Iterable[str] = ()
    ) -> tuple[Delivery, ...]:
        """Send to all channels, or to those named. A failure ends nothing: it is in the result."""
        masker = Masker(self.config.masking)
        distinct = tuple(dict.fromkeys(notifications))
        selected = set(channels)
        return tuple(
            self._send_to(
                name,
                channel,
                tuple(
                    dict.fromkeys(_clean(each, masker) for each in select_notifications(channel, distinct))
                ),
                masker,
            )
            for name, channel in self.config.notify_channels.items()
            if not selected or name in selected
        )

    def _send_to(
        self, name: str, channel: NotifyChannel, selected: Sequence[Notification], masker: Masker
    ) -> Delivery:
        if not selected:
            return Delivery(name, channel.kind, "nothing")
        message = Message(
            _clean_text(self.repository, masker),
            _clean_url(self.url, masker),
            tuple(selected[:MOST]),
            left_out=max(0, len(selected) - MOST),
        )
        body = json.dumps(PAYLOADS[channel.kind](message), ensure_ascii=False).encode()
        try:
            url = read_variable(self.environ, channel.url_variable)
            headers: Mapping[str, str] = {}
            if channel.secret_variable:
                secret = read_variable(self.environ, channel.secret_variable)
                headers = signature_headers(secret, body, int(self.now.timestamp()))
            deliver(url, channel.url_variable, body, headers)
        except ForgeError as error:
            problem = f"{error.message} {error.advice}".strip()
            return Delivery(name, channel.kind, "failed", len(selected), problem)
        return Delivery(name, channel.kind, "sent", len(selected))


def select_notifications(
    channel: NotifyChannel, notifications: Iterable[Notification]
) -> tuple[Notification, ...]:
    """The notifications that a channel asks for, the most severe first.

    A test message goes everywhere. What is about no stack has no owner and goes to channels of all owners.
    """
    owners = {owner.lower() for owner in channel.owners}

    def is_wanted(each: Notification) -> bool:
        if each.event == "test":
            return True
        return (
            (not channel.events or each.event in channel.events)
            and SEVERITIES.index(each.severity) >= SEVERITIES.index(channel.severity)
            and any(fnmatchcase(each.environment, glob) for glob in channel.environments)
            and (not (owners and each.stacks) or bool(owners & {owner.lower() for owner in each.owners}))
        )

    matches = [each for each in notifications if is_wanted(each)]
    return tuple(sorted(matches, key=lambda each: -SEVERITIES.index(each.severity)))


def describe_failures(deliveries: Iterable[Delivery]) -> list[str]:
    """A sentence for each message that was not sent."""
    return [
        f"The message to {delivery.channel}: {delivery.problem}"
        for delivery in deliveries
        if delivery.result == "failed"
    ]


def _clean(notification: Notification, masker: Masker) -> Notification:
    """A notification whose texts are masked, of one line each, and can be sent as UTF-8."""
    details = [_clean_text(detail, masker) for detail in notification.details[:MOST_DETAILS]]
    more = len(notification.details) - MOST_DETAILS
    return replace(
        notification,
        environment=_clean_text(notification.environment, masker),
        summary=_clean_text(notification.summary, masker),
        stacks=tuple(_clean_text(stack, masker) for stack in notification.stacks),
        owners=tuple(_clean_text(owner, masker) for owner in notification.owners),
        url=_clean_url(notification.url, masker),
        details=(*details, *([f"and {more} more"] if more > 0 else [])),
    )


def _clean_text(text: str, masker: Masker) -> str:
    line = folded(masker.mask_text(text.encode("utf-8", "replace").decode()))
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def _clean_url(url: str, masker: Masker) -> str:
    """An address that can be linked; empty for one that is none, or in which something would be hidden."""
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    is_link = url.startswith(("https://", "http://")) and is_plain
    return url if is_link and masker.mask_text(url) == url else ""
