"""Who owns a path, and whether somebody is among the owners."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.drift.publish import load_owners
from orchestrator.errors import ConfigError
from orchestrator.forge.interface import TEAMS_TOKEN
from orchestrator.forge.owners import Owners, find_owner_problems, is_team, read_owners
from orchestrator.repository.codeowners import parse
from orchestrator.repository.loading import load
from orchestrator.review.pending_changes import TrunkHistory
from tests.conftest import MakeRepo

RULES = (
    "* @olga\n/deploy/infra/envs/prod/ @acme/platform @Bert\n/deploy/free.tf\n/deploy/mail.tf a@b.example\n"
)


class FakeTeams:
    """One team with one member; counts the questions."""

    def __init__(self) -> None:
        self.asked = 0

    def is_member(self, team: str, login: str) -> bool:
        self.asked += 1
        return (team, login) == ("acme/platform", "carla")


def test_paths_are_the_projects_and_rules_the_repositorys() -> None:
    owners = Owners(parse(RULES), "deploy/")
    assert owners.of("infra/envs/prod/app/main.tf") == ("@acme/platform", "@Bert")
    assert owners.of_folder("infra/envs/prod/app") == ("@acme/platform", "@Bert")
    assert owners.of("free.tf") == ()
    assert owners.of_folder(".") == ("@olga",)


def test_an_owner_is_named_or_in_a_team() -> None:
    teams = FakeTeams()
    owners = Owners(parse(RULES), "deploy/", teams)
    mine = owners.of("infra/envs/prod/app/main.tf")
    assert [who for who in ("bert", "carla", "dan", "CARLA") if owners.is_owner(mine, who)] == [
        "bert",
        "carla",
        "CARLA",
    ]
    assert teams.asked == 2, "each question once"
    assert not owners.is_owner(owners.of("mail.tf"), "a")
    assert not owners.is_owner((), "bert")


def test_a_team_without_a_token_is_an_error_and_not_nobody() -> None:
    owners = Owners(parse(RULES), "deploy/")
    mine = owners.of("infra/envs/prod/app/main.tf")
    assert owners.is_owner(mine, "bert"), "named, so no team is asked"
    with pytest.raises(ConfigError, match="acme/platform") as caught:
        owners.is_owner(mine, "carla")
    assert TEAMS_TOKEN in caught.value.advice
    assert is_team("@acme/platform")
    assert not is_team("@bert")


BY_OWNERS = "environments: {prod: {approved_by: codeowners}}\n"


@pytest.mark.parametrize(
    ("rules", "token", "words"),
    [
        (None, "", "there is no CODEOWNERS file"),
        ("/other/ @olga\n", "", "Nobody owns infra/envs/prod/app"),
        ("* @acme/platform\n", "", "names teams (@acme/platform)"),
        ("* @acme/platform\n", "x", ""),
        ("* @olga\n", "", ""),
    ],
)
def test_what_owners_need_is_checked(make_repo: MakeRepo, rules: str | None, token: str, words: str) -> None:
    files = {"infra.yaml": BY_OWNERS, "infra/envs/prod/app/main.tf": ""}
    repo = make_repo({**files, **({".github/CODEOWNERS": rules} if rules else {})})
    project = load(repo.root)
    assert read_owners(project).rules.file == (".github/CODEOWNERS" if rules else None)
    found = " ".join(problem.message for problem in find_owner_problems(project, {TEAMS_TOKEN: token}))
    assert words in found if words else not found


def test_other_environments_need_no_owners(make_repo: MakeRepo) -> None:
    assert find_owner_problems(load(make_repo({"infra/envs/prod/app/main.tf": ""}).root), {}) == []


def test_a_project_below_the_top_that_is_checked_out_elsewhere(make_repo: MakeRepo, tmp_path: Path) -> None:
    """The checkout of another commit has a root of its own, from which the folder cannot be worked out."""
    files = {
        "deploy/infra.yaml": BY_OWNERS,
        "deploy/infra/envs/prod/app/main.tf": "",
        ".github/CODEOWNERS": RULES,
    }
    project = load(make_repo(files).root / "deploy")
    for checkout in (project, replace(project, root=tmp_path / "checkout" / "deploy")):
        owners = read_owners(checkout)
        assert owners.of_folder("infra/envs/prod/app") == ("@acme/platform", "@Bert")
        assert load_owners(checkout)("infra/envs/prod/app") == ("@acme/platform", "@Bert")
        trunk = TrunkHistory(checkout, None)
        assert trunk.inside("deploy/infra/envs/prod/app/main.tf") == "infra/envs/prod/app/main.tf"
        assert trunk.inside("infra/envs/prod/app/main.tf") is None
