"""Templates of the rules file: `{name}` is an attribute, `{hash:8}` and the like are made up."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestrator.sandbox.gcs.resources import project_number
from orchestrator.sandbox.provider.values import Value

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_REGION = re.compile(r"^([a-z])[a-z]*-([a-z])")


@dataclass(frozen=True)
class Context:
    """What a template can draw on.

    `attribute` gives the value of an attribute, `seed` makes invented values differ from one object to the
    next, `highest` is the highest number among the siblings that share an attribute's value.
    """

    attribute: Callable[[str], Value]
    seed: str
    now: datetime
    highest: Callable[[str], int] = lambda _: 0


def names_in(template: str) -> list[str]:
    """The attributes that a template reads."""
    names = []
    for body in _PLACEHOLDER.findall(template):
        function, _, argument = body.partition(":")
        name = argument if function in _READERS else function
        if name not in _MAKERS:
            names.append(name)
    return names


def expand(template: Any, context: Context) -> Any:
    """A value of the rules file with its templates filled in; other values stay as they are."""
    if isinstance(template, Mapping):
        return {key: expand(item, context) for key, item in template.items()}
    if isinstance(template, list):
        return [expand(item, context) for item in template]
    if not isinstance(template, str):
        return template
    whole = _PLACEHOLDER.fullmatch(template)
    if whole:
        return _fill(whole.group(1), context)
    out = ""
    position = 0
    for match in _PLACEHOLDER.finditer(template):
        out += template[position : match.start()]
        value = _fill(match.group(1), context)
        out += "" if value is None else str(value)
        position = match.end()
    return out + template[position:]


def region_code(region: str) -> str:
    """How a region looks in a Cloud Run address: `ew` for europe-west1."""
    match = _REGION.match(region)
    return "".join(match.groups()) if match else "xx"


def _fill(body: str, context: Context) -> Value:
    function, _, argument = body.partition(":")
    if function in _READERS:
        return _READERS[function](_text(context.attribute(argument)))
    if function in _MAKERS:
        return _MAKERS[function](context, argument)
    return context.attribute(body)


def _text(value: Value) -> str:
    return "" if value is None else str(value)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_number(text: str) -> int:
    return int(_digest(text), 16)


def _digits(context: Context, argument: str) -> str:
    length = int(argument or "12")
    return str(10 ** (length - 1) + _digest_number(f"{context.seed}:digits") % (9 * 10 ** (length - 1)))


def _later(context: Context, argument: str) -> str:
    moment = context.now + timedelta(seconds=int(argument or "0"))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _md5(text: str) -> bytes:
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


def _gateway(cidr: str) -> str:
    try:
        return str(ipaddress.ip_network(cidr, strict=False)[1])
    except (ValueError, IndexError):
        return ""


def _public_address(context: Context, _: str) -> str:
    number = _digest_number(f"{context.seed}:address")
    return f"34.{number % 64 + 64}.{number // 64 % 256}.{number // 16384 % 254 + 1}"


def _private_address(context: Context, _: str) -> str:
    number = _digest_number(f"{context.seed}:address")
    return f"10.{number % 64 + 128}.{number // 64 % 256}.{number // 16384 % 254 + 1}"


# These read an attribute.
_READERS: dict[str, Callable[[str], Value]] = {
    "base": lambda text: text.rstrip("/").rsplit("/", 1)[-1],
    "short": region_code,
    "project_number": project_number,
    "project_hash": lambda text: _letters(f"project:{text}"),
    "gateway": _gateway,
    "md5": lambda text: base64.b64encode(_md5(text)).decode(),
    "md5hex": lambda text: _md5(text).hex(),
}


def _letters(text: str) -> str:
    number = _digest_number(text)
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    return "".join(alphabet[(number >> (5 * index)) & 31] for index in range(10))


# These make something up.
_MAKERS: dict[str, Callable[[Context, str], Value]] = {
    "hash": lambda context, length: _digest(context.seed)[: int(length or "8")],
    "number": _digits,
    "uuid": lambda context, _: str(uuid.UUID(_digest(context.seed)[:32])),
    "etag": lambda context, _: f"BwY{_digest(f'{context.seed}:{context.now.isoformat()}')[:8]}=",
    "now": _later,
    "ip": _public_address,
    "private_ip": _private_address,
    "next": lambda context, name: context.highest(name) + 1,
    "increment": lambda context, name: int(_text(context.attribute(name)) or "0") + 1,
}
