"""Sends a payload to a webhook: only https, no redirect is followed, and never longer than a deadline."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlsplit

from orchestrator.deadline import DeadlinePassedError, call_within
from orchestrator.errors import ForgeError

# Seconds: for one connection or answer, and for all of it.
TIMEOUT = 10.0
DEADLINE = 25.0
# A receiver that answers "too many requests" is asked once more, after so many seconds at most.
LONGEST_WAIT = 5.0
_TOO_MANY = (429, 503)
# Where clouds serve tokens beside the link-local addresses: AWS, Alibaba, Oracle, Azure.
_METADATA = tuple(
    map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"))
)
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def signature_headers(secret: str, body: bytes, timestamp: int) -> dict[str, str]:
    """The headers that prove who sent a body and when: an HMAC-SHA256 of `TIMESTAMP.BODY`."""
    digest = hmac.new(
        secret.encode("utf-8", "surrogateescape"), f"{timestamp}.".encode() + body, hashlib.sha256
    ).hexdigest()
    return {"X-Infra-Timestamp": str(timestamp), "X-Infra-Signature": f"v1={digest}"}


def read_variable(environ: Mapping[str, str], variable: str) -> str:
    """The value of a variable. Raises ForgeError without it."""
    value = environ.get(variable, "").strip()
    if not value:
        raise ForgeError(
            f"{variable} is not set.",
            advice=f"Add a secret {variable} to the repository; run `infra init` to pass it to the jobs.",
        )
    return value


def deliver(
    url: str, variable: str, body: bytes, headers: Mapping[str, str], *, deadline: float = DEADLINE
) -> None:
    """POST a body to the address that came from a variable, in at most `deadline` seconds.

    The address is a secret, since whoever knows it can post: no error contains it. Raises ForgeError.
    """
    _check_form(url, variable)
    try:
        call_within(deadline, lambda: _post(url, variable, body, headers), "notify")
    except ForgeError:
        raise
    except DeadlinePassedError:
        raise ForgeError(
            f"The webhook of {variable} did not answer in {deadline:g} s.",
            advice="Check the address, and whether the service is slow.",
        ) from None
    except Exception as error:
        raise ForgeError(
            f"The webhook of {variable} cannot be reached: {type(error).__name__}.",
            advice="Check the address, and what this machine may reach.",
        ) from None


def _post(url: str, variable: str, body: bytes, headers: Mapping[str, str]) -> None:
    _check_addresses(url, variable)
    wait = _send(url, variable, body, headers, is_last=False)
    if wait is not None:
        time.sleep(wait)
        _send(url, variable, body, headers, is_last=True)


def _send(url: str, variable: str, body: bytes, headers: Mapping[str, str], *, is_last: bool) -> float | None:
    """Sends once; returns the seconds after which to send again, None when it is done. Raises ForgeError."""
    all_headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "infra", **headers}
    request = urllib.request.Request(url, data=body, headers=all_headers, method="POST")  # noqa: S310 - https only
    # A message to this machine goes through no proxy, which would send it from somewhere else.
    direct = [urllib.request.ProxyHandler({})] if urlsplit(url).hostname in _LOOPBACK else []
    opener = urllib.request.build_opener(_RefuseRedirect, *direct)
    try:
        with opener.open(request, timeout=TIMEOUT):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in _TOO_MANY and not is_last:
            return _wait(error.headers.get("Retry-After") or "")
        if 300 <= error.code < 400:
            message = f"The webhook of {variable} answered with a redirect ({error.code}), which is refused."
        else:
            message = f"The webhook of {variable} answered {error.code}."
        raise ForgeError(message, advice="Check that its address is still right.") from None


def _wait(text: str) -> float:
    """The seconds of a header `Retry-After`, at most `LONGEST_WAIT`."""
    return min(float(text), LONGEST_WAIT) if text.isascii() and text.isdigit() else LONGEST_WAIT


def _check_form(url: str, variable: str) -> None:
    """Accept https, and http to this machine. Raises ForgeError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        is_accepted = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    except ValueError:
        host, is_accepted = "", False
    if not (is_accepted and host) or not url.isascii() or not url.isprintable() or " " in url:
        raise ForgeError(f"{variable} holds no address.", advice="It begins with https://.")


def _check_addresses(url: str, variable: str) -> None:
    """Refuse link-local and similar addresses, where clouds serve tokens. Raises ForgeError.

    Private addresses are accepted: the address is a secret that an administrator sets, and many chats run in
    a company's own network.
    """
    parts = urlsplit(url)
    if any(_is_forbidden(address) for address in _resolve(parts.hostname or "", parts.port)):
        raise ForgeError(
            f"The webhook of {variable} has an address that no receiver has.",
            advice="Link-local, multicast, unspecified and metadata addresses are refused.",
        )


def _resolve(host: str, port: int | None) -> list[str]:
    """The IP addresses of a host; none where only a proxy knows them."""
    try:
        return [str(ipaddress.ip_address(host.partition("%")[0]))]
    except ValueError:
        pass
    try:
        answers = socket.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(answer[4][0]) for answer in answers]


def _is_forbidden(text: str) -> bool:
    addresses = [ipaddress.ip_address(text.partition("%")[0])]
    if isinstance(addresses[0], ipaddress.IPv6Address):
        addresses += _embedded(addresses[0])
    return any(
        address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA
        for address in addresses
    )


def _embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an address of IPv6 leads to: mapped ones, 6to4, Teredo and NAT64."""
    embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _NAT64) or int(address) < 1 << 32:
        embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in embedded if each is not None and int(each) > 1]


class _RefuseRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: messages only go to the configured address."""

    def redirect_request(self, *_: object) -> None:
        return None
