"""Which layout is chosen: by itself, by one answer, or not at all."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator.cli.support.layout_choice import choose_layout
from orchestrator.config import Config
from orchestrator.errors import ConfigError, UsageError
from orchestrator.repository.layout_survey import Answers, Layout, survey
from tests.support.memory_tree import memory_tree, source_of

OWN = 'terraform {\n  backend "gcs" {\n    bucket = "b"\n  }\n}\n'
GCS = 'terraform {\n  backend "gcs" {}\n}\n'
FLAT = {"main.tf": OWN}
TWO = {f"{top}/{name}/a/main.tf": OWN for top in ("environments", "live") for name in ("dev", "prod")}
SHARED = {f"envs/{name}/a/main.tf": OWN for name in ("dev", "prod", "shared")}


def choose(files: Mapping[str, str], *answers: str, questions: list[str] | None = None) -> Layout:
    """The layout with these answers on a terminal; without `questions` nobody is there."""
    source = source_of(memory_tree(files), Config())
    remaining = iter(answers)

    def ask(question: str) -> str:
        assert questions is not None
        questions.append(question)
        return next(remaining)

    return choose_layout(
        lambda partial_answers: survey(source, partial_answers),
        Answers(),
        ask if questions is not None else None,
    )


def test_what_the_files_set_is_not_requested() -> None:
    questions: list[str] = []
    files = {f"envs/{name}/a/main.tf": OWN for name in ("dev", "prod")}
    assert choose(files, questions=questions).environments == ("dev", "prod")
    assert questions == []


@pytest.mark.parametrize("files", [FLAT, TWO])
def test_without_a_terminal_what_only_people_know_is_an_error(files: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as error:
        choose(files)
    assert int(error.value.exit_code) == 3
    assert "infra init --environment" in error.value.advice or "`roots: {envs: live}`" in error.value.advice


def test_a_flat_root_needs_one_answer() -> None:
    questions: list[str] = []
    assert list(choose(FLAT, "prod", questions=questions).stacks) == ["prod/main"]
    assert len(questions) == 1


def test_two_candidates_are_a_choice() -> None:
    questions: list[str] = []
    layout = choose(TWO, "2", questions=questions)
    assert str(layout.config.roots.envs) == "live"
    assert "1. roots: {envs: environments} (dev, prod)" in questions[0]


@pytest.mark.parametrize("answer", ["", "3", "0", "live"])
def test_no_choice_is_an_error(answer: str) -> None:
    with pytest.raises(UsageError, match="none of the choices"):
        choose(TWO, answer, questions=[])


def test_the_order_is_queried_where_it_is_not_usual() -> None:
    questions: list[str] = []
    layout = choose(SHARED, "shared dev prod", questions=questions)
    assert list(layout.config.environments) == ["shared", "dev", "prod"]
    assert layout.unordered == ()
    assert choose(SHARED, "", questions=questions).unordered == ("shared",)
    assert choose(SHARED).unordered == ("shared",)
    with pytest.raises(UsageError, match="staging is none of"):
        choose(SHARED, "dev staging", questions=questions)


def test_the_bucket_is_queried_where_nothing_names_it() -> None:
    files = {f"envs/{name}/a/main.tf": GCS for name in ("dev", "prod")}
    questions: list[str] = []
    assert choose(files, "acme-state", questions=questions).lacking == ()
    assert len(questions) == 1
    assert choose(files, "", questions=questions).lacking == ("dev/a", "prod/a")


def test_no_name_is_an_error() -> None:
    with pytest.raises(UsageError, match="No environment was named"):
        choose(FLAT, " ", questions=[])
