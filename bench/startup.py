"""`infra --help` against `python -c 'import click'`: at most 1.3 times."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench.pairs import measure

LIMIT = 1.3


def main() -> int:
    """Print the figure; 1 when the limit is missed."""
    infra = str(Path(sys.executable).with_name("infra"))
    pair = measure(
        (infra, "--help"), (sys.executable, "-c", "import click"), runs=25, cwd=Path.cwd(), env=os.environ
    )
    print("startup:", pair.line("infra --help", "import click", LIMIT))
    return int(pair.ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
