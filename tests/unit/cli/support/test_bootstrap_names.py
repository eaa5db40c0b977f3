"""The names that a bootstrap needs: by options, asked for on a terminal, and from GitHub."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.app import App
from orchestrator.cli.support.bootstrap_names import NameOptions, find_names
from orchestrator.errors import UsageError
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from orchestrator.scaffold.bootstrap_code import BootstrapNames
from tests.conftest import MakeRepo

NOTHING: dict[str, Any] = {
    "bucket": "",
    "project": "",
    "region": "",
    "location": "",
    "admins": (),
    "projects": (),
}
ALL: dict[str, Any] = {
    "bucket": "",
    "project": "acme-infra",
    "region": "europe-west3",
    "location": "EUROPE-WEST3",
    "admins": ("group:admins@acme.example", "user:olga@acme.example"),
    "projects": ("dev=acme-dev", "prod=acme-prod"),
}


@pytest.fixture
def project(make_repo: MakeRepo) -> Project:
    files = {"infra/envs/dev/a/main.tf": "", "infra/envs/prod/a/main.tf": ""}
    return load(make_repo({"infra.yaml": "backend: {gcs: {bucket: acme-state}}\n", **files}).root)


class TerminalInput(io.StringIO):
    def isatty(self) -> bool:
        return True


def ask(checkout: Project, answers: str | None = None, **options: Any) -> tuple[BootstrapNames, str]:
    """The names, and what was written to standard error; `answers` are typed on a terminal."""
    err = TerminalInput() if answers is not None else io.StringIO()
    stdin = TerminalInput(answers) if answers is not None else io.StringIO()
    app = App({"HOME": str(Path.cwd())}, stdin, io.StringIO(), err)
    return find_names(app, checkout, NameOptions(**{**NOTHING, **options})), err.getvalue()


def test_options_give_all_names(project: Project) -> None:
    names, err = ask(project, **ALL)
    assert names.project == "acme-infra"
    assert names.admins == ALL["admins"]
    assert names.projects == {"dev": "acme-dev", "prod": "acme-prod"}
    assert names.bucket == "acme-state"
    assert "The numbers of the repository are not known" in err
    assert not names.is_complete


def test_without_a_terminal_no_question_is_put(project: Project) -> None:
    names, _ = ask(project)
    assert (names.project, names.admins, names.projects) == ("", (), {"dev": "", "prod": ""})
    assert (names.region, names.location) == ("europe-west1", "EU")


def test_on_a_terminal_each_name_is_requested_once(project: Project) -> None:
    answers = "acme-infra\n\nUS\nNobody\ngroup:a@acme.example, user:b@acme.example\nacme-dev\nacme-prod\n"
    names, err = ask(project, answers)
    assert (names.project, names.region, names.location) == ("acme-infra", "europe-west1", "US")
    assert names.admins == ("group:a@acme.example", "user:b@acme.example")
    assert names.projects == {"dev": "acme-dev", "prod": "acme-prod"}
    assert "'Nobody' is no name that Google accepts." in err
    assert "Region [europe-west1]: " in err
    assert "Region" not in ask(project, "", **ALL)[1], "what options say is not asked for"


def test_a_terminal_that_ends_is_no_answer(project: Project) -> None:
    with pytest.raises(UsageError, match=r"Nothing was answered"):
        ask(project, "acme-infra\n")


def test_init_requires_a_bucket_where_infra_yaml_names_none(make_repo: MakeRepo) -> None:
    config = "backend: {gcs: {bucket: 'acme-{environment}'}}\n"
    checkout = load(make_repo({"infra.yaml": config, "infra/envs/dev/a/main.tf": ""}).root)
    options = {**ALL, "projects": ("dev=acme-dev",)}

    names, err = ask(checkout, "acme-bootstrap\n", **options)

    assert "Bucket of the bootstrap's own state" in err
    assert (names.bucket, names.is_bucket_apart) == ("acme-bootstrap", True)


def test_an_option_gives_the_bootstrap_a_bucket_of_its_own(project: Project) -> None:
    assert not ask(project, **ALL)[0].is_bucket_apart
    names, _ = ask(project, **{**ALL, "bucket": "acme-bootstrap"})
    assert (names.bucket, names.is_bucket_apart) == ("acme-bootstrap", True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bucket": "Acme State"},
        {"project": 'x"; y = "z'},
        {"project": "Acme"},
        {"region": "somewhere"},
        {"location": "eu"},
        {"admins": ("olga@acme.example",)},
        {"projects": ("dev",)},
        {"projects": ("stage=acme-stage",)},
        {"projects": ("dev=x",)},
    ],
)
def test_names_that_are_none_are_refused(project: Project, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ask(project, **{**ALL, **wrong})
