"""Who owns a path, and whether somebody is among the owners."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.drift.publish import load_owners
from orchestrator.errors import ConfigError
from orchestrator.forge.interface import TEAMS_TOKEN
from orchestrator.forge.owners import Owners, find_owner_problems, find_unowned, is_team, read_owners
from orchestrator.repository.codeowners import parse
from orchestrator.repository.loading import load
from orchestrator.review.pending_changes import TrunkHistory
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.schemas import check_schema

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
    text = " ".join(problem.message for problem in find_owner_problems(project, {TEAMS_TOKEN: token}))
    assert words in text if words else not text


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


STACKS = {"infra/envs/dev/app/main.tf": "", "infra/envs/prod/app/main.tf": ""}
# The last line that matches decides, also one that names nobody.
SHARED = "* @olga\n/infra/envs/prod/ @acme/platform a@b.example\n/infra/envs/dev/app/\n/wrong @@\n"


def test_the_command_names_the_owners_and_the_line_that_decides(make_repo: MakeRepo) -> None:
    infra = Infra(make_repo({**STACKS, ".github/CODEOWNERS": SHARED}).root, {})
    document = infra("owners", "--json", code=0).document
    check_schema(document, "owners")
    assert document["file"] == ".github/CODEOWNERS"
    assert [(stack["id"], stack["owners"], stack["line"]) for stack in document["stacks"]] == [
        ("dev/app", [], 3),
        ("prod/app", ["@acme/platform", "a@b.example"], 2),
    ]
    text = infra("owners", code=0).out
    assert "nobody" in text
    assert ".github/CODEOWNERS:4: @@ is not an owner" in text
    assert text.endswith("2 stacks, 1 without an owner\n")
    assert "dev/app" not in infra("owners", "prod", code=0).out


def test_without_the_file_nobody_owns_a_stack(make_repo: MakeRepo) -> None:
    infra = Infra(make_repo(STACKS).root, {})
    assert "There is no CODEOWNERS file" in infra("owners", code=0).out
    document = infra("owners", "--json", code=0).document
    check_schema(document, "owners")
    assert [stack["owners"] for stack in document["stacks"]] == [[], []]


def test_status_shows_owners(make_repo: MakeRepo) -> None:
    infra = Infra(make_repo({**STACKS, ".github/CODEOWNERS": SHARED}).root, {})
    document = infra("status", "--json", code=0).document
    check_schema(document, "commands")
    assert [stack["owners"] for stack in document["stacks"]] == [[], ["@acme/platform", "a@b.example"]]
    assert "@acme/platform a@b.example" in infra("status", code=0).out
    assert "owners" not in Infra(make_repo(STACKS, "bare").root, {})("status", code=0).out


@pytest.mark.parametrize(
    ("rules", "setting", "findings"),
    [
        (SHARED, "optional", [("warning", "Nobody owns dev/app.")]),
        (SHARED, "required", [("error", "Nobody owns dev/app.")]),
        ("* @olga\n", "required", []),
        (None, "optional", []),
        (None, "required", [("error", "`lint.owners` is required, and there is no CODEOWNERS file.")]),
    ],
)
def test_stacks_that_nobody_owns_are_findings(
    make_repo: MakeRepo, rules: str | None, setting: str, findings: list[tuple[str, str]]
) -> None:
    files = {**STACKS, "infra.yaml": f"lint: {{owners: {setting}}}\n"}
    repo = make_repo({**files, **({"CODEOWNERS": rules} if rules else {})})
    unowned = find_unowned(load(repo.root))
    assert [(finding.severity, finding.message) for finding in unowned] == findings


def test_the_advice_for_an_unowned_stack_makes_somebody_own_it(make_repo: MakeRepo) -> None:
    repo = make_repo({**STACKS, "CODEOWNERS": SHARED})
    (finding,) = find_unowned(load(repo.root))
    line = finding.advice.partition("`")[2].rstrip("`.").replace("@owner", "@dora")
    repo.write({"CODEOWNERS": f"{SHARED}{line}\n"})
    assert find_unowned(load(repo.root)) == []
    assert read_owners(load(repo.root)).of_folder("infra/envs/dev/app") == ("@dora",)
