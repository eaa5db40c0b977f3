"""Consent off a terminal: what was not given beforehand is a no."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import pytest

from orchestrator.cli.app import App
from orchestrator.cli.options import AnswerOptions
from orchestrator.cli.terminal.consent import CommandConsent, confirm, confirm_change
from orchestrator.engine.context import RunContext
from orchestrator.errors import BlockedError, InterruptedRunError
from orchestrator.report.model import NO_COUNTS, RunInfo, RunReport, StackReport


def consent(
    *, auto_approve: bool = True, allow_destroy: bool = False, confirmed: Sequence[str] = ()
) -> CommandConsent:
    app = App({}, io.StringIO(), io.StringIO(), io.StringIO())
    return CommandConsent(
        app,
        "apply",
        lambda report: None,
        auto_approve=auto_approve,
        allow_destroy=allow_destroy,
        confirmed=confirmed,
    )


def stack(*, deletes: int = 0) -> StackReport:
    return StackReport("dev/app", "dev", "changed", counts={**NO_COUNTS, "delete": deletes, "update": 1})


def ask(
    command_consent: CommandConsent, report: StackReport, protected: Sequence[str], question: str
) -> None:
    if question == "again":
        command_consent.again(report, "another plan", protected=protected)
    else:
        info = RunInfo("run-1", "local", "c", "2026-01-01T00:00:00Z", 0.0)
        command_consent.to_apply(RunReport("apply", info, (report,)), protected=protected)


QUESTIONS = pytest.mark.parametrize("question", ["first", "again"])


@QUESTIONS
def test_nothing_is_applied_without_a_yes(question: str) -> None:
    ask(consent(), stack(), (), question)
    with pytest.raises(BlockedError, match="no terminal"):
        ask(consent(auto_approve=False), stack(), (), question)


@QUESTIONS
def test_deleting_needs_a_word_of_its_own(question: str) -> None:
    ask(consent(allow_destroy=True), stack(deletes=1), (), question)
    with pytest.raises(BlockedError, match="deleted or replaced in dev/app"):
        ask(consent(), stack(deletes=1), (), question)


@QUESTIONS
def test_a_protected_environment_needs_its_name(question: str) -> None:
    ask(consent(confirmed=["dev"]), stack(), ["dev"], question)
    with pytest.raises(BlockedError, match="dev is protected"):
        ask(consent(allow_destroy=True), stack(), ["dev"], question)


@pytest.fixture
def terminal() -> Iterator[Callable[[str], App]]:
    """An app on a terminal on which these lines were typed."""
    master, slave = os.openpty()
    with os.fdopen(slave, "r+b", buffering=0) as raw:
        stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)

        def app(lines: str) -> App:
            os.write(master, lines.encode())
            return App({}, stream, io.StringIO(), stream)

        yield app
        stream.detach()
    os.close(master)


def test_a_name_given_before_the_plan_does_not_answer_the_question_after_it(
    terminal: Callable[[str], App],
) -> None:
    """`--confirm` was written before anybody saw the plan; a name that is typed was read from under it."""

    def ask_for_dev(lines: str, confirmed: Sequence[str]) -> None:
        consent = CommandConsent(terminal(lines), "apply", lambda report: None, confirmed=confirmed)
        consent.again(stack(), "another plan", protected=["dev"])

    ask_for_dev("dev\n", ())
    ask_for_dev("y\n", ("dev",))
    with pytest.raises(BlockedError, match="Not confirmed"):
        ask_for_dev("n\n", ("dev",))


def test_ctrl_c_ends_the_question_about_a_state(terminal: Callable[[str], App]) -> None:
    """A session catches the signal, so that the read goes on."""
    with pytest.raises(InterruptedRunError):
        confirm(terminal(""), "Move it?", is_confirmed=False, interrupted=lambda: True)


class Interrupts:
    """Of a supervisor: nobody has interrupted the run."""

    interrupted = False


class Protects:
    """Of a run's context: all of prod is protected."""

    supervisor = Interrupts()

    def protected(self, stacks: Sequence[str]) -> tuple[str, ...]:
        return ("prod",) if any(stack.startswith("prod/") for stack in stacks) else ()


@pytest.mark.parametrize(
    ("stack", "auto_approve", "confirmed", "words"),
    [
        ("dev/app", True, (), ""),
        ("dev/app", False, (), "There is no terminal to ask: Move it?"),
        ("prod/app", True, (), "prod is protected"),
        ("prod/app", True, ("prod",), ""),
        ("prod/app", False, ("prod",), "There is no terminal to ask: Move it?"),
    ],
)
def test_a_change_of_a_state_needs_a_yes_and_the_name_of_a_protected_environment(
    stack: str, auto_approve: bool, confirmed: tuple[str, ...], words: str
) -> None:
    app = App({}, io.StringIO(), io.StringIO(), io.StringIO())
    answers = AnswerOptions(auto_approve=auto_approve, confirmed=confirmed)
    context = cast(RunContext, Protects())
    if not words:
        confirm_change(app, context, stack, "move a state", "Move it?", answers)
        return
    with pytest.raises(BlockedError, match=re.escape(words)):
        confirm_change(app, context, stack, "move a state", "Move it?", answers)


def test_a_missing_name_is_reported_before_anything_is_planned() -> None:
    asked_consent = consent(confirmed=("staging",))
    asked_consent.before_plan(["staging", "prod"])
    assert "Without `--confirm prod` no change is applied there" in asked_consent.app.stderr.getvalue()  # type: ignore[attr-defined]
    silent = consent(confirmed=("prod",))
    silent.before_plan(["prod"])
    assert silent.app.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_off_a_terminal_an_unrecorded_state_needs_a_word_of_its_own() -> None:
    info = RunInfo("run-1", "local", "c", "2026-01-01T00:00:00Z", 0.0)

    def ask(*, adopt: bool, unrecorded: bool = True) -> None:
        app = App({}, io.StringIO(), io.StringIO(), io.StringIO())
        asked_consent = CommandConsent(app, "apply", lambda report: None, auto_approve=True, adopt=adopt)
        stack = StackReport("dev/app", "dev", "changed", unrecorded=unrecorded)
        asked_consent.to_apply(RunReport("apply", info, (stack,)), protected=())

    ask(adopt=True)
    ask(adopt=False, unrecorded=False)
    with pytest.raises(BlockedError, match="No run of infra is recorded that made the state of dev/app"):
        ask(adopt=False)
