"""Masks addresses: the key of an instance can look like a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.masking import HIDDEN, Masker

_KEY = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')


def without_keys(text: str) -> str:
    """An address or path without the keys of instances and the indexes of lists, as the code has it."""
    return _KEY.sub("", text)


def mask_addresses(document: Mapping[str, Any], masker: Masker) -> dict[str, str]:
    """The addresses in plan JSON that hold a secret, each with what is shown of it.

    What is shown is different for each, so that it names one resource of this plan; the number in it says
    nothing about the secret.
    """
    counts: dict[str, int] = {}
    shown_by_address: dict[str, str] = {}
    for address in sorted(set(_addresses(document))):
        masked = masker.mask_address(address)
        if masked != address:
            counts[masked] = counts.get(masked, 0) + 1
            shown_by_address[address] = (
                mark_address(masked, str(counts[masked])) if counts[masked] > 1 else masked
            )
    return shown_by_address


def mark_address(masked: str, mark: str) -> str:
    """A masked address with a mark that tells it from others."""
    return masked.replace(HIDDEN, f"{HIDDEN}#{mark}", 1)


def _addresses(document: Mapping[str, Any]) -> Iterator[str]:
    for key in ("resource_changes", "resource_drift", "deferred_changes"):
        for entry in document.get(key) or ():
            change = entry.get("resource_change", entry)
            yield from (str(change[name]) for name in ("address", "previous_address") if change.get(name))
