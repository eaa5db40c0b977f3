"""Ctrl-C while the program is still being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Stands in for click: whoever imports it is interrupted at that moment.
INTERRUPTED = (
    "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(0.2)\nraise SystemExit(9)\n"
)


@pytest.mark.parametrize(("ignored", "code"), [(False, -signal.SIGINT), (True, 9)])
def test_an_early_interrupt_prints_no_traceback(tmp_path: Path, ignored: bool, code: int) -> None:
    (tmp_path / "click.py").write_text(INTERRUPTED)
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " if ignored else ""

    done = subprocess.run(
        [sys.executable, "-c", f"{ignore}import orchestrator.__main__ as it; it.start()"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (code, "")
