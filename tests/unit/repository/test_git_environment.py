"""Content filters of a clone's own configuration are switched off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.repository.git_environment import filter_overrides, setting


def listing(*settings: tuple[str, str, str]) -> str:
    """As `git config --list --show-scope -z` prints (scope, key, value)."""
    return "".join(f"{scope}\0{key}\n{value}\0" for scope, key, value in settings)


def settings_of(variables: dict[str, str]) -> dict[str, str]:
    count = int(variables.get("GIT_CONFIG_COUNT", 0))
    pairs = (
        (variables.get(f"GIT_CONFIG_KEY_{n}"), variables.get(f"GIT_CONFIG_VALUE_{n}")) for n in range(count)
    )
    return {key: value or "" for key, value in pairs if key}


@pytest.mark.parametrize("scope", ["local", "worktree"])
@pytest.mark.parametrize("driver", ["filter.evil", "filter.a=b", "filter.a.clean"])
@pytest.mark.parametrize("program", ["clean", "smudge", "process"])
def test_each_program_of_a_filter_is_switched_off(scope: str, driver: str, program: str) -> None:
    variables = filter_overrides(listing((scope, f"{driver}.{program}", "touch /tmp/x")), {})
    assert settings_of(variables) == {
        f"{driver}.clean": "",
        f"{driver}.smudge": "",
        f"{driver}.process": "",
        f"{driver}.required": "false",
    }


def test_filters_of_the_user_and_of_the_machine_stay() -> None:
    text = listing(("global", "filter.lfs.clean", "x %f"), ("system", "filter.crypt.smudge", "y"))
    assert filter_overrides(text, {}) == {}


def test_large_file_storage_stays_as_its_own_installer_writes_it() -> None:
    standard = listing(
        ("local", "filter.lfs.smudge", "git-lfs smudge --skip -- %f"),
        ("local", "filter.lfs.process", "git-lfs filter-process"),
        ("local", "filter.lfs.clean", "git-lfs clean -- %f"),
    )
    assert filter_overrides(standard, {}) == {}
    changed = listing(("local", "filter.lfs.clean", "git-lfs clean -- %f; touch /tmp/x"))
    assert settings_of(filter_overrides(changed, {}))["filter.lfs.clean"] == ""


def test_settings_of_the_environment_are_preserved() -> None:
    before = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": "x"}
    variables = filter_overrides(listing(("local", "filter.evil.clean", "x")), before)
    assert variables["GIT_CONFIG_COUNT"] == "5"
    assert "GIT_CONFIG_KEY_0" not in variables


def test_a_value_that_is_missing_and_other_settings_are_nothing() -> None:
    assert (
        filter_overrides(listing(("local", "core.editor", "vi")) + "local\0filter.evil.required\0", {}) == {}
    )


def test_of_a_setting_that_is_there_twice_the_last_one_counts() -> None:
    name = "remote.origin.url"
    text = listing(("global", name, "a"), ("local", "remote.other.url", "b"), ("local", name, "c\nd"))
    assert setting(text, name) == "c\nd"
    assert setting(text, "remote.Origin.url") is None


def test_settings_that_git_cannot_read_are_no_missing_git(tmp_path: Path) -> None:
    """GitPython fails as it is imported for both."""
    settings = tmp_path / "gitconfig"
    settings.write_text("[init\n")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": str(settings)}
    argv = [sys.executable, "-c", "import orchestrator.repository.git"]
    failed = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    assert "git does not run." in failed.stderr
