"""The entry point, and small things that commands say."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.main import forget_git_locations, forget_relative_folders
from orchestrator.engine.saved_plans import read_saved_plans
from orchestrator.errors import UsageError
from tests.conftest import MakeRepo
from tests.support.cli import Infra

FILES = {f"infra/envs/dev/{name}/main.tf": "" for name in "ab"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PATH": ":/usr/bin:.:bin::/bin:"}, {"PATH": "/usr/bin:/bin"}),
        ({"PATH": "/usr/bin"}, {"PATH": "/usr/bin"}),
        ({"HOME": "/home/x"}, {"HOME": "/home/x"}),
    ],
)
def test_path_loses_folders_that_depend_on_where_we_are(
    environ: dict[str, str], expected: dict[str, str]
) -> None:
    """The working directory is a checkout: a `git` in it would run."""
    forget_relative_folders(environ)
    assert environ == expected


def test_variables_lead_git_to_no_other_repository() -> None:
    """`GIT_DIR` of another repository would put that one's commit into the ledger."""
    unrelated = {"GIT_CONFIG_COUNT": "0", "GIT_SSH_COMMAND": "s"}
    environ = {"GIT_DIR": "/other/.git", "GIT_INDEX_FILE": "x", **unrelated}
    forget_git_locations(environ)
    assert environ == unrelated


@pytest.mark.parametrize(
    ("argv", "advice"),
    [
        (("apply", "-auto-approve", "dev"), "Write `--auto-approve`."),
        (("plan", "-target=terraform_data.x"), "Write `--target=terraform_data.x`."),
        (("plan", "-taget=x"), "Write `--target=x`."),
        (("plan", "-refresh-only=true"), "Write `--refresh-only`."),
        (("plan", "-refresh-only=false"), "Leave it out."),
        (("apply", "-auto-approv"), "Write `--auto-approve`."),
        (("plan", "-auto-approve"), "There is no option -auto-approve."),
        (("plan", "-Q"), "No such option '-Q'"),
        (("plan", "-nonsense"), "`infra plan --help` shows the usage with examples."),
    ],
)
def test_options_as_terraform_writes_them_are_answered_with_the_spelling_here(
    make_repo: MakeRepo, argv: tuple[str, ...], advice: str
) -> None:
    ran = Infra(make_repo(FILES).root, {})(*argv, code=3)
    assert advice in ran.err


def test_affected_counts_what_it_lists(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    repo.remove("infra/envs/dev/b/main.tf")
    ran = Infra(repo.root, {})("affected", code=0)
    assert ran.out.splitlines()[-1].startswith("1 stack deleted, compared with")
    repo.write({"infra/envs/dev/a/main.tf": "# changed"})
    ran = Infra(repo.root, {})("affected", code=0)
    assert ran.out.splitlines()[-1].startswith("1 stack affected, 1 stack deleted, compared with")


@pytest.mark.parametrize(
    ("folder", "why"), [("nosuch", "does not exist"), ("infra", "holds no manifest.json")]
)
def test_saved_plans_that_are_not_there_are_wrong_usage(tmp_path: Path, folder: str, why: str) -> None:
    (tmp_path / "infra").mkdir()
    with pytest.raises(UsageError, match=why):
        read_saved_plans(tmp_path / folder)
