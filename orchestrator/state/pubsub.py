"""Pulls messages from a subscription of Pub/Sub, by its REST API."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import StateError
from orchestrator.jsontext import MALFORMED
from orchestrator.state.credentials import credentials

EMULATOR = "PUBSUB_EMULATOR_HOST"
SCOPE = "https://www.googleapis.com/auth/pubsub"
# Seconds for one request, and for which messages are ours before they are delivered again: the longest.
_TIMEOUT = 30.0
_ACK_SECONDS = 600
# What one pull and one acknowledgement may have, and how many pulls are made.
_BATCH = 1000
_MOST_PULLS = 10


@dataclass(frozen=True)
class PulledMessage:
    """A message, and the id by which it is acknowledged. `message` has its `data` in base64."""

    ack_id: str
    message: Mapping[str, Any]


class Subscription:
    """A subscription `projects/PROJECT/subscriptions/NAME`; StateError where it does not answer."""

    def __init__(self, name: str, env: Mapping[str, str]) -> None:
        self._name = name
        host = env.get(EMULATOR)
        self._url = f"http://{host}/v1/{name}" if host else f"https://pubsub.googleapis.com/v1/{name}"
        self._session = _session(None if host else credentials(env, (SCOPE,)))

    def pull(self) -> tuple[PulledMessage, ...]:
        """The messages that wait, at most some thousands; they are ours for ten minutes."""
        messages: list[PulledMessage] = []
        for _ in range(_MOST_PULLS):
            answer = self._post("pull", {"maxMessages": _BATCH, "returnImmediately": True})
            try:
                received = [
                    PulledMessage(str(message["ackId"]), dict(message["message"]))
                    for message in answer.get("receivedMessages") or ()
                ]
            except MALFORMED as error:
                raise StateError(f"The answer of {self._name} cannot be read.") from error
            if not received:
                break
            messages += received
            self._modify("modifyAckDeadline", received, ackDeadlineSeconds=_ACK_SECONDS)
        return tuple(messages)

    def finish(self, done: Sequence[PulledMessage], others: Sequence[PulledMessage]) -> None:
        """Acknowledge what is done with, and let the others be delivered again at once."""
        self._modify("acknowledge", done)
        self._modify("modifyAckDeadline", others, ackDeadlineSeconds=0)

    def close(self) -> None:
        """Close the connections."""
        with contextlib.suppress(OSError):
            self._session.close()

    def _modify(self, method: str, messages: Sequence[PulledMessage], **more: int) -> None:
        for begin in range(0, len(messages), _BATCH):
            self._post(method, {"ackIds": [m.ack_id for m in messages[begin : begin + _BATCH]], **more})

    def _post(self, method: str, body: Mapping[str, object]) -> dict[str, Any]:
        import requests
        from google.auth.exceptions import GoogleAuthError

        try:
            answer = self._session.post(f"{self._url}:{method}", json=body, timeout=_TIMEOUT)
            answer.raise_for_status()
            content: dict[str, Any] = answer.json()
        except (requests.RequestException, GoogleAuthError, ValueError) as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            reason = f"HTTP {status}" if status else type(error).__name__
            raise StateError(
                f"{self._name} does not answer: {reason}.",
                advice="Does it exist, and has the account the role roles/pubsub.subscriber on it?",
            ) from error
        return content if isinstance(content, dict) else {}


def _session(account: Any) -> Any:
    """A session of requests, with an account's credentials or none."""
    import requests

    if account is None:
        session = requests.Session()
        session.trust_env = False
        return session
    from google.auth.transport.requests import AuthorizedSession

    return AuthorizedSession(account)  # type: ignore[no-untyped-call]
