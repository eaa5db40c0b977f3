"""Renders the step with which a job installs infra: pinned by hash, with the pins in the step itself.

They are never read from the checkout, which a pull request could change. For the same reason the step comes
before the checkout, runs in the runner's own folder, and starts Python isolated (`-I`): otherwise Python
imports from the working directory.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from orchestrator.forge.install_source import ActionSource, GitSource, ReleaseSource, Source

LOCKS = Path(__file__).parents[2] / "locks"
# What a job needs beside infra: no Terraform, the embedded one, one of its own, or what a rehearsal needs.
InstallParts = Literal["none", "embedded", "own", "sandbox"]
# The lock file of each; all but the first have Rego.
_LOCKS: Mapping[InstallParts, tuple[str, ...]] = {
    "none": ("runtime",),
    "embedded": ("terraform",),
    "own": ("rego",),
    "sandbox": ("demo", "rego"),
}
# The lock file of what sends telemetry, besides.
_TELEMETRY = ("telemetry",)
# The entries of wheels for macOS (lock.py writes those of each platform apart).
_ELSEWHERE = re.compile(r"[^\0]*(?:;|and) sys_platform == 'darwin' \\\0")

_BEGIN = """\
export PIP_DISABLE_PIP_VERSION_CHECK=1
python3 -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "::error::infra needs Python 3.11 or newer: use a runner that has it, or add actions/setup-python."
  exit 1
}
"""
_INSTALL = """\
cat > "$RUNNER_TEMP/infra-build.txt" <<'PINS'
@@BUILD@@
PINS
uv_install() {
  uv pip install --quiet --no-config --no-cache --no-build-isolation --python "$RUNNER_TEMP/infra" "$@"
}
pip_install() {
  "$RUNNER_TEMP/infra/bin/python" -I -m pip install --quiet --no-compile --no-build-isolation "$@"
}
build() { "$1" --require-hashes --only-binary :all: -r "$RUNNER_TEMP/infra-build.txt"; }
# uv takes less time. It does not read the settings of pip, which may name another index.
if [ -z "${PIP_INDEX_URL:-}" ] && command -v uv > /dev/null && \\
  uv venv --quiet --no-config --python "$(command -v python3)" \\
  "$RUNNER_TEMP/infra" && build uv_install; then
  install() { uv_install "$@"; }
else
  python3 -I -m venv --clear "$RUNNER_TEMP/infra"
  build pip_install
  install() { pip_install "$@"; }
fi
@@PINS@@
@@LOCKS@@
@@INFRA@@
# Isolated as well: afterwards infra runs in the checkout.
cat > "$RUNNER_TEMP/infra/bin/infra" <<LAUNCHER
#!/bin/sh
exec "$RUNNER_TEMP/infra/bin/python" -I -m orchestrator "\\$@"
LAUNCHER
"""
_END = 'echo "$RUNNER_TEMP/infra/bin" >> "$GITHUB_PATH"\n'


def read_lock(name: str) -> str:
    """A lock file's requirements for the jobs' Linux runners, with their options and hashes."""
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    # A requirement goes on over the lines that end in a backslash; its markers stand in the first.
    entries = text.replace("\\\n", "\\\0").splitlines()
    linux_entries = [entry for entry in entries if not entry.startswith("#") and not _ELSEWHERE.match(entry)]
    return "\n".join(linux_entries).replace("\0", "\n")


def render_install_step(source: Source, parts: InstallParts, *, has_telemetry: bool = False) -> str:
    """The step as YAML, indented for a job's steps."""
    if isinstance(source, ActionSource):
        telemetry = '          telemetry: "true"\n' if has_telemetry else ""
        return (
            "      - name: Install infra\n"
            f"        uses: {source.action}@{source.commit}\n"
            "        with:\n"
            f"          terraform: {parts}\n"
            f"{telemetry}"
        )
    script = f"{_BEGIN}{render_install(source, parts, has_telemetry=has_telemetry)}{_END}"
    return (
        "      - name: Install infra\n"
        "        working-directory: ${{ runner.temp }}\n"
        "        run: | # zizmor: ignore[github-env] a folder of the runner's own, which nobody else names\n"
        + textwrap.indent(script, " " * 10)
    )


def render_install(
    source: GitSource | ReleaseSource, parts: InstallParts, *, has_telemetry: bool = False
) -> str:
    """The shell lines that install infra into `$RUNNER_TEMP/infra`, its program at `bin/infra` there."""
    # The pins stand in the script itself.
    files = {
        f'"$RUNNER_TEMP/infra/pins{number or ""}.txt"': read_lock(name)
        for number, name in enumerate((*_LOCKS[parts], *(_TELEMETRY if has_telemetry else ())))
    }
    return (
        _INSTALL.replace("@@BUILD@@", read_lock("build"))
        .replace(
            "@@PINS@@", "\n".join(f"cat > {path} <<'PINS'\n{pins}\nPINS" for path, pins in files.items())
        )
        .replace("@@LOCKS@@", "\n".join(f"install --require-hashes -r {path}" for path in files))
        .replace("@@INFRA@@", _install_infra(source))
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
