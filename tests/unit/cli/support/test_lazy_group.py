from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.ci import FORMER_NAMES
from orchestrator.cli.support.lazy_group import FormerNames
from tests.support.cli import Infra

NAMES = FormerNames(commands={"settle": "finalize"}, options={"apply": {"--patience": "--grace-period"}})


@pytest.mark.parametrize(
    ("arguments", "present", "warned"),
    [
        (["settle", "--limit", "4m"], ["finalize", "--limit", "4m"], ["`infra ci finalize`"]),
        (["apply", "dev", "--patience", "6s"], ["apply", "dev", "--grace-period", "6s"], ["--grace-period"]),
        (["apply", "--patience=6s"], ["apply", "--grace-period=6s"], ["--grace-period"]),
        (["apply", "--", "--patience"], ["apply", "--", "--patience"], []),
        (["plan", "--patience", "6s"], ["plan", "--patience", "6s"], []),
        (["apply", "dev", "--wait", "a=b"], ["apply", "dev", "--wait", "a=b"], []),
    ],
)
def test_former_names_are_translated_with_a_warning(
    arguments: list[str], present: list[str], warned: list[str]
) -> None:
    translated, warnings = NAMES.translate("infra ci", arguments)
    assert translated == present
    assert len(warnings) == len(warned)
    assert all(text in warning for text, warning in zip(warned, warnings, strict=True))


@pytest.mark.parametrize("old", sorted(FORMER_NAMES.commands))
def test_a_former_command_runs_and_is_not_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str
) -> None:
    new = FORMER_NAMES.commands[old]
    done = Infra(tmp_path, {})("ci", old, "--help", code=0)
    assert f"Usage: infra ci {new}" in capsys.readouterr().out
    warning = f"warning: `infra ci {old}` is `infra ci {new}` now; the old name goes with version 1.0.\n"
    assert done.err == warning
    Infra(tmp_path, {})("ci", "--help", code=0)
    assert f"  {old} " not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "old", "new"),
    [(command, *pair) for command, pairs in FORMER_NAMES.options.items() for pair in pairs.items()],
)
def test_a_former_option_is_accepted_and_not_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, old: str, new: str
) -> None:
    infra = Infra(tmp_path, {})
    infra("ci", command, "--help", code=0)
    helped = capsys.readouterr().out
    assert new in helped
    assert old not in helped
    # What is refused is the word after it: the former option is known.
    assert f"No such option '{old}'" not in infra("ci", command, old, "--nonsense", code=3).err
