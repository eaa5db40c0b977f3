"""Sends a chat message as a POST of `{"text": …}`, the format of Slack and compatible services."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlsplit

from orchestrator.errors import ForgeError

TIMEOUT = 15.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def send_message(environ: Mapping[str, str], variable: str, text: str) -> None:
    """Send a text to the URL in an environment variable.

    Raises ForgeError without the URL, which is a secret: whoever knows it can post.
    """
    request = _request(environ.get(variable, "").strip(), variable, text)
    opener = urllib.request.build_opener(_RefuseRedirect)
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            answer.read(1000)
    except urllib.error.HTTPError as error:
        error.close()
        raise ForgeError(
            f"The webhook of {variable} answered {error.code}.", advice="Is its address still right?"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ForgeError(
            f"The webhook of {variable} cannot be reached: {type(error).__name__}.",
            advice="Look at the address, and at what this machine may reach.",
        ) from None


def _request(url: str, variable: str, text: str) -> urllib.request.Request:
    if not url:
        raise ForgeError(
            f"{variable} is not set.",
            advice=f"In a workflow: `env: {{{variable}: ${{{{ secrets.{variable} }}}}}}`.",
        )
    try:
        parts = urlsplit(url)
        is_address = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    except ValueError:
        is_address = False
    if not is_address:
        raise ForgeError(f"{variable} holds no address.", advice="It begins with https://.")
    data = json.dumps({"text": text}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "infra"}
    return urllib.request.Request(url, data=data, headers=headers, method="POST")  # noqa: S310 - https only


class _RefuseRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: messages only go to the configured URL."""

    def redirect_request(self, *_: object) -> None:
        return None
