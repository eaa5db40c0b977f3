"""Renders a secret in every form in which Terraform, a URL or an encoder may print it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}
_URL_SAFE = str.maketrans("+/", "-_")
_HTML = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


# From how many characters on a text is found in capitals, or as a part of something encoded.
_LONG = 8


def terraform_quoted(text: str) -> str:
    """A string between the quotes of Terraform's diff: Go's %q."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(_ESCAPES.get(char) or _character(char) for char in text)


def _character(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escaped(text: str) -> str:
    """A string between the quotes of `jsonencode`, which also escapes <, > and &."""
    return json.dumps(text, ensure_ascii=False)[1:-1].translate(_HTML)


def forms_of(text: str) -> Iterator[str]:
    """Every form in which a secret is looked for: as it is, escaped once and twice, encoded, by line."""
    escaped = (terraform_quoted(text), _json_escaped(text), json.dumps(text)[1:-1])
    yield text
    yield from escaped
    yield from map(terraform_quoted, escaped)
    yield from map(_json_escaped, escaped)
    data = text.encode("utf-8", "surrogateescape")
    for encoded in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        yield encoded
        yield encoded.rstrip("=")
    yield from _inside_base64(data)
    yield from {text.upper(), text.lower()} if len(text) >= _LONG else ()
    yield quote(data, safe="")
    yield quote_plus(data)
    if "\n" in text:
        for line in text.splitlines():
            # A PEM frame is no secret, and hiding it would hide certificates.
            if (stripped := line.strip()) and not stripped.startswith("-----"):
                yield stripped
                yield terraform_quoted(stripped)
                yield _json_escaped(stripped)


def _inside_base64(data: bytes) -> Iterator[str]:
    """What base64 makes of a secret in the middle of a longer text, such as `user:password`: only those
    characters that hold nothing but its bits, for each of the three ways in which it may begin."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode()
        inside = whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(inside) >= _LONG:
            yield inside
            yield inside.translate(_URL_SAFE)
