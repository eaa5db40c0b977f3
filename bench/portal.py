"""The portal of 2,000 stacks and 1,000 runs: built at first, then with nothing changed; and its largest page.

The limits are 10 s, 2 s, and 150 KB with gzip. Without a bucket: `bench/insight.py` measures the dataset.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from orchestrator.portal.build import build_portal
from orchestrator.portal.folder import PortalFolder
from orchestrator.portal.source import PortalSource
from tests.support.portal import make_source

STACKS, RUNS = 2_000, 1_000
FIRST_SECONDS, NEXT_SECONDS, PAGE_BYTES = 10.0, 2.0, 150_000


def make_estate() -> PortalSource:
    """An estate whose commits are all different, so that pages are not smaller than real ones."""
    source = make_source(STACKS, RUNS)
    stacks = tuple(
        replace(stack, commit=hashlib.sha256(stack.id.encode()).hexdigest()[:40], commits_behind=number % 97)
        for number, stack in enumerate(source.stacks)
    )
    return replace(source, stacks=stacks)


def main() -> int:
    """Print the figures; 1 when a limit is missed."""
    source = make_estate()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "site"
        took = []
        for _ in range(2):
            began = time.monotonic()
            built = build_portal(source, PortalFolder.open(folder))
            took.append(time.monotonic() - began)
        assert built.written == built.removed == 0, built
        size, path = max(
            (len(gzip.compress(path.read_bytes())), path.name) for path in folder.rglob("*.html")
        )
    print(
        f"portal: {STACKS} stacks, {RUNS} runs, {built.pages} pages: first {took[0]:.2f} s (limit "
        f"{FIRST_SECONDS:g} s), next {took[1]:.2f} s (limit {NEXT_SECONDS:g} s); largest page {path} "
        f"{size:,} bytes with gzip (limit {PAGE_BYTES:,})"
    )
    return int(took[0] > FIRST_SECONDS or took[1] > NEXT_SECONDS or size > PAGE_BYTES)


if __name__ == "__main__":
    sys.exit(main())
