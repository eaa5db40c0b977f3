"""The step with which a job installs infra: everything is pinned by hash, and the pins stand in the step.

They are never read from the checkout, which a pull request could change; for the same reason the step comes
before the checkout, runs in a folder of the runner's own, and starts Python isolated (`-I`): without it
Python imports what lies in the working directory.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from orchestrator.ci.source import ActionSource, GitSource, ReleaseSource, Source

LOCKS = Path(__file__).parents[1] / "locks"
# What a job needs: which lock file, and what the action is asked for.
_LOCKS = {False: "runtime", True: "terraform"}
# The entries of wheels for macOS (lock.py writes those of each platform apart).
_ELSEWHERE = re.compile(r"[^\0]*(?:;|and) sys_platform == 'darwin' \\\0")
_TERRAFORM = {False: "none", True: "embedded"}

_SCRIPT = """\
export PIP_DISABLE_PIP_VERSION_CHECK=1
python3 -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "::error::infra needs Python 3.11 or newer: use a runner that has it, or add actions/setup-python."
  exit 1
}
python3 -I -m venv "$RUNNER_TEMP/infra"
install() {
  "$RUNNER_TEMP/infra/bin/python" -I -m pip install --quiet --no-build-isolation "$@"
}
cat > "$RUNNER_TEMP/infra/build.txt" <<'PINS'
@@BUILD@@
PINS
cat > "$RUNNER_TEMP/infra/pins.txt" <<'PINS'
@@PINS@@
PINS
install --require-hashes --only-binary :all: -r "$RUNNER_TEMP/infra/build.txt"
install --require-hashes -r "$RUNNER_TEMP/infra/pins.txt"
@@INFRA@@
# Isolated as well: afterwards infra runs in the checkout.
cat > "$RUNNER_TEMP/infra/bin/infra" <<LAUNCHER
#!/bin/sh
exec "$RUNNER_TEMP/infra/bin/python" -I -m orchestrator "\\$@"
LAUNCHER
echo "$RUNNER_TEMP/infra/bin" >> "$GITHUB_PATH"
"""


def lock(name: str) -> str:
    """A lock file's requirements for the Linux runners of the jobs, with their options and hashes."""
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    # A requirement goes on over the lines that end in a backslash; its markers stand in the first.
    entries = text.replace("\\\n", "\\\0").splitlines()
    kept = [entry for entry in entries if not entry.startswith("#") and not _ELSEWHERE.match(entry)]
    return "\n".join(kept).replace("\0", "\n")


def install_step(source: Source, *, terraform: bool) -> str:
    """The step, as YAML at the depth of a job's steps."""
    if isinstance(source, ActionSource):
        return (
            "      - name: Install infra\n"
            f"        uses: {source.action}@{source.commit}\n"
            "        with:\n"
            f"          terraform: {_TERRAFORM[terraform]}\n"
        )
    script = (
        _SCRIPT.replace("@@BUILD@@", lock("build"))
        .replace("@@PINS@@", lock(_LOCKS[terraform]))
        .replace("@@INFRA@@", _install_infra(source))
    )
    return (
        "      - name: Install infra\n"
        "        working-directory: ${{ runner.temp }}\n"
        "        run: | # zizmor: ignore[github-env] a folder of the runner's own, which nobody else names\n"
        + textwrap.indent(script, " " * 10)
    )


def _install_infra(source: GitSource | ReleaseSource) -> str:
    if isinstance(source, GitSource):
        return f'install --no-deps "infra-orchestrator @ {source}"'
    requirement = " \\\n    ".join([f"{source.name}=={source.version}", *source.hashes])
    return (
        "cat > \"$RUNNER_TEMP/infra/infra.txt\" <<'PINS'\n"
        f"{requirement}\n"
        "PINS\n"
        'install --no-deps --require-hashes -r "$RUNNER_TEMP/infra/infra.txt"'
    )
