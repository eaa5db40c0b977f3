"""Commands in advice: as a laptop types them, and as they work where only CI applies."""

from __future__ import annotations

import pytest

from orchestrator.repository.advice import advice_for
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from tests.conftest import MakeRepo

CONFIG = "version: 1\nenvironments:\n  dev: {}\n  prod: {apply: ci}\n  prod-eu: {apply: ci}\n"
COMMENT = "(a comment on a merged pull request, or the input `{}` of infra-apply)"


@pytest.fixture
def project(make_repo: MakeRepo) -> Project:
    code = 'terraform {\n  backend "gcs" {}\n}\n'
    files = {f"infra/envs/{name}/net/main.tf": code for name in ("dev", "prod", "prod-eu")}
    return load(make_repo({"infra.yaml": CONFIG, **files}).root)


CASES = {
    "`infra resume prod/net` does the rest.": ("`/infra resume prod/net`", "resume", " does the rest."),
    "`infra resume prod/net --forget ADDRESS`.": (
        *("`/infra resume prod/net --forget ADDRESS`", "resume", "."),
    ),
    "`infra unlock prod/net`.": ("`/infra unlock prod/net`", "unlock", "."),
    "`infra apply prod/net` records it.": ("`/infra apply prod`", "environment", " records it."),
    "`infra apply dev/net prod/net …`": ("`/infra apply dev`, `/infra apply prod`", "environment", ""),
    "`infra apply prod-eu/net`": ("`/infra apply prod-eu`", "environment", ""),
    "`infra adopt prod/net`": ("`/infra apply prod`", "environment", ""),
    "`infra state forget prod/net --reason …`": ("`/infra forget prod/net REASON`", "forget", ""),
}
JOBS = ("`infra state accept prod/net --lineage L`", "`infra run prod/gone -- import A B`")
SAME = (
    "`infra resume dev/net` does the rest.",
    "`infra status` names it.",
    "`infra state history prod/net` lists them.",
    "`infra plan prod/net`",
    "`/infra resume prod/net`",
    "infra apply prod/net",
    "",
)


@pytest.mark.parametrize("advice", CASES)
def test_where_only_ci_applies_advice_names_what_works_there(project: Project, advice: str) -> None:
    command, field, rest = CASES[advice]
    assert advice_for(project, advice) == f"{command} {COMMENT.format(field)}{rest}"


@pytest.mark.parametrize("advice", JOBS)
def test_what_no_comment_does_is_done_in_a_job(project: Project, advice: str) -> None:
    assert advice_for(project, advice) == f"{advice} (in a CI job, as the account that applies prod)"


@pytest.mark.parametrize("advice", SAME)
def test_what_works_as_it_is_stays(project: Project, advice: str) -> None:
    assert advice_for(project, advice) == advice


def test_a_destroy_is_a_merge_that_deletes_the_code(project: Project) -> None:
    advice = advice_for(project, "`infra destroy prod/net` plans what is left.")
    assert "`/infra apply prod`" in advice
    assert "`policy.deleted_stacks: destroy`" in advice


@pytest.mark.parametrize("advice", [*CASES, *JOBS])
def test_advice_is_translated_once(project: Project, advice: str) -> None:
    translated = advice_for(project, advice)
    assert advice_for(project, translated) == translated
