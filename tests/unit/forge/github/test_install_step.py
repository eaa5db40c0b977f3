"""The step that installs infra, and the lock files that it takes its pins from."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from orchestrator.forge.github.install_step import (
    LOCKS,
    InstallParts,
    read_lock,
    render_install,
    render_install_step,
)
from orchestrator.forge.install_source import ActionSource, GitSource, ReleaseSource
from tests.support.workflows import read_yaml

ROOT = Path(__file__).resolve().parents[4]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES = {path.stem: path.read_text() for path in LOCKS.glob("*.txt")}
# Options of pip, requirements with their first lines, and hashes.
_REQUIREMENT = re.compile(r"([a-z0-9-]+)==([\w.!+]+)(?: ; ([^\\]+?))? \\")
_HASH = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}(?: \\)?")
_OPTIONS = ("--require-hashes", "--only-binary :all:", "--no-binary python-terraform")


def versions(text: str) -> dict[str, str]:
    return {match[1]: match[2] for match in _REQUIREMENT.finditer(text)}


def names(requirements: list[str]) -> set[str]:
    matches = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in matches if match}


@pytest.mark.parametrize("name", FILES)
def test_a_lock_file_holds_pins_with_hashes_and_no_address(name: str) -> None:
    for line in FILES[name].splitlines():
        startswith = line in _OPTIONS or line.startswith("# Written by") or _REQUIREMENT.fullmatch(line)
        assert startswith or _HASH.fullmatch(line), line
    blocks = re.split(r"\n(?=\S)", FILES[name])
    assert all("--hash=" in block for block in blocks if "==" in block)
    assert "--require-hashes\n--only-binary :all:\n" in FILES[name]


def test_all_lock_files_agree_on_versions() -> None:
    files = {pin for text in FILES.values() for pin in versions(text).items()}
    assert len({name for name, _ in files}) == len(files)


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("runtime", []),
        ("rego", ["rego"]),
        ("terraform", ["embedded", "rego"]),
        ("demo", ["embedded", "sandbox"]),
        ("dev", ["embedded", "sandbox", "rego", "dev"]),
    ],
)
def test_a_lock_file_has_all_that_the_project_asks_for(name: str, extras: list[str]) -> None:
    requirements = [
        *PROJECT["dependencies"],
        *(requirement for extra in extras for requirement in PROJECT["optional-dependencies"][extra]),
    ]
    assert names(requirements) - {"infra-orchestrator"} <= set(versions(FILES[name]))


def test_what_builds_infra_is_pinned_too() -> None:
    assert {"hatchling", "editables", "setuptools", "pip"} <= set(versions(FILES["build"]))


@pytest.mark.parametrize("name", FILES)
def test_the_pins_of_a_step_are_those_for_linux(name: str) -> None:
    lock = read_lock(name)
    assert versions(lock) == versions(FILES[name])
    assert lock.startswith("--require-hashes\n--only-binary :all:\n")
    assert "#" not in lock
    assert not re.search(r"(?:;|and) sys_platform == 'darwin' \\", lock)


@pytest.mark.parametrize(
    ("parts", "locks"),
    [("none", ["runtime"]), ("embedded", ["terraform"]), ("own", ["rego"]), ("sandbox", ["demo", "rego"])],
)
def test_a_step_carries_the_pins_of_telemetry_where_that_is_sent(
    parts: InstallParts, locks: list[str]
) -> None:
    source = GitSource("https://github.com/acme/infra", "a" * 40)
    (step,) = read_yaml(render_install_step(source, parts, has_telemetry=True))
    assert all(read_lock(name) in step["run"] for name in (*locks, "telemetry"))
    assert read_lock("telemetry") not in render_install(source, parts)
    (step,) = read_yaml(render_install_step(ActionSource("acme/infra", "a" * 40), parts, has_telemetry=True))
    assert step["with"] == {"terraform": parts, "telemetry": "true"}


@pytest.mark.parametrize(
    ("parts", "locks"),
    [("none", ["runtime"]), ("embedded", ["terraform"]), ("own", ["rego"]), ("sandbox", ["demo", "rego"])],
)
def test_the_step_carries_its_pins(parts: InstallParts, locks: list[str]) -> None:
    """No file of the checkout says what is installed: a pull request could change it."""
    source = GitSource("https://github.com/acme/infra", "a" * 40)
    (step,) = read_yaml(f"{render_install_step(source, parts)}")
    script = step["run"]
    assert all(read_lock(name) in script for name in locks)
    assert read_lock("build") in script
    assert set(re.findall(r"-r ([^\s;]+)", script)) == {
        '"$RUNNER_TEMP/infra-build.txt"',
        *(f'"$RUNNER_TEMP/infra/pins{number or ""}.txt"' for number in range(len(locks))),
    }
    assert f'install --no-deps "infra-orchestrator @ {source}"' in script
    assert "-m pip install --quiet --no-compile --no-build-isolation " in script
    assert script.count("install --require-hashes ") == len(locks)
    assert script.count('"$1" --require-hashes --only-binary :all: ') == 1


_STUB_UV = """#!/bin/sh
echo "uv $*" >> "$CALLS"
case "$UV_WORKS $1" in "no venv" | "half pip") exit 1 ;; esac
mkdir -p "$RUNNER_TEMP/infra/bin"
"""
_STUB_PYTHON = """#!/bin/sh
echo "python $*" >> "$CALLS"
mkdir -p "$RUNNER_TEMP/infra/bin"
[ -e "$RUNNER_TEMP/infra/bin/python" ] || cp "$0" "$RUNNER_TEMP/infra/bin/python"
"""


@pytest.mark.parametrize(
    ("works", "index", "installer"),
    [("yes", "", "uv"), ("no", "", "pip"), ("half", "", "pip"), ("yes", "https://pypi.example", "pip")],
)
def test_uv_installs_where_it_works(tmp_path: Path, works: str, index: str, installer: str) -> None:
    """Else pip does, with the same pins; it alone knows the index that its settings name."""
    programs, calls = tmp_path / "bin", tmp_path / "calls"
    programs.mkdir()
    for name, text in (("uv", _STUB_UV), ("python3", _STUB_PYTHON)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    env = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_PATH": str(tmp_path / "path"),
        "CALLS": str(calls),
        "UV_WORKS": works,
        "PIP_INDEX_URL": index,
    }
    source = GitSource("https://github.com/acme/infra", "a" * 40)
    (step,) = read_yaml(render_install_step(source, "none"))
    subprocess.run(["sh", "-e", "-c", step["run"]], cwd=tmp_path, env=env, check=True)
    installs = [line for line in calls.read_text().splitlines() if " install " in line]
    succeeded = [line for line in installs if (line.split()[0] == "uv") == (installer == "uv")]
    assert len(succeeded) == 3
    assert all("--no-build-isolation" in line for line in installs)
    assert ["--require-hashes" in line for line in succeeded] == [True, True, False]
    assert str(source) in succeeded[-1]


def test_a_release_is_installed_with_its_hashes() -> None:
    source = ReleaseSource(
        "infra-orchestrator", "1.0", ("--hash=sha256:" + "a" * 64, "--hash=sha256:" + "b" * 64)
    )
    (step,) = read_yaml(render_install_step(source, "none"))
    hashes = " \\\n    ".join(source.hashes)
    assert (
        f"infra-orchestrator==1.0 \\\n    {hashes}\nPINS\ninstall --no-deps --require-hashes -r"
        in step["run"]
    )
