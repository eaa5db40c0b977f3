"""Counts what docs/house.md reports, of this checkout; `--entered` also runs the demo."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.house import HouseFigures

ROOT = Path(__file__).parents[1]
COMMANDS = ("infra plan", "infra ci plan", "infra ci apply")
# Python imports it at its start. A file is entered when one of its functions is called; bodies of modules and
# classes are no functions (they lack CO_OPTIMIZED). Commands run in forks that start without files.
TRACER = """
import atexit, os, sys, threading
files = set()

def profile(frame, event, argument):
    code = frame.f_code
    if event == "call" and code.co_flags & 1 and "/orchestrator/" in code.co_filename:
        files.add(code.co_filename)

def write():
    sys.setprofile(None)
    with open(os.environ["ENTERED_FILES"], "a") as file:
        file.write(f"{len(files)} {' '.join(sys.argv)}\\n")

def leave(code, leave=os._exit):
    write()
    leave(code)

atexit.register(write)
os._exit = leave
os.register_at_fork(after_in_child=files.clear)
sys.setprofile(profile)
threading.setprofile(profile)
"""


def entered_files() -> dict[str, int]:
    """Each of the commands, with the files of the package that it enters at most in `infra demo`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sitecustomize.py").write_text(TRACER)
        paths = os.pathsep.join((str(folder), str(ROOT)))
        env = {**os.environ, "PYTHONPATH": paths, "ENTERED_FILES": str(folder / "counts")}
        argv = [sys.executable, "-m", "orchestrator", "demo"]
        subprocess.run(argv, env=env, check=True, stdout=subprocess.DEVNULL)
        counts = [line.partition(" ") for line in (folder / "counts").read_text().splitlines()]
    return {
        command: max(int(count) for count, _, argv in counts if f"{argv} ".startswith(f"{command} "))
        for command in COMMANDS
    }


if __name__ == "__main__":
    for label, figure in HouseFigures(ROOT).lines():
        print(f"{label}: {figure}")
    if "--entered" in sys.argv:
        for command, files in entered_files().items():
            print(f"files that {command} enters: {files}")
