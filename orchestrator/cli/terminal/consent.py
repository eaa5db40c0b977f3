"""Consent before changes: by questions on a terminal, elsewhere by options."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.cli.app import App
from orchestrator.errors import BlockedError, InterruptedRunError
from orchestrator.report.model import RunReport, StackReport
from orchestrator.report.words import format_totals

if TYPE_CHECKING:
    from orchestrator.cli.options import AnswerOptions
    from orchestrator.engine.context import RunContext


@dataclass
class CommandConsent:
    """Consent for `apply` and `destroy`.

    `auto_approve` answers the plain question, `allow_destroy` the one about deletions, `adopt` the one about
    states that no run has recorded, `confirmed` the names of protected environments. `show` prints a report;
    `verb` is "apply" or "destroy"; `interrupted` is true after Ctrl-C.
    """

    app: App
    verb: str
    show: Callable[[RunReport | StackReport], None]
    auto_approve: bool = False
    allow_destroy: bool = False
    adopt: bool = False
    confirmed: Sequence[str] = ()
    interrupted: Callable[[], bool] = lambda: False
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def before_plan(self, protected: Sequence[str]) -> None:
        """Prints which --confirm is missing, before a plan is made; an empty plan needs none."""
        missing = [name for name in protected if name not in self.confirmed]
        if missing and not self.app.interactive:
            options = " ".join(f"--confirm {name}" for name in missing)
            self.app.note(f"Protected: {', '.join(missing)}. Without `{options}` no change is applied there.")

    def to_apply(self, report: RunReport, *, protected: Sequence[str]) -> None:
        """Show all plans, then ask; raises BlockedError when consent is not given."""
        self.show(report)
        for environment in protected:
            stacks = [stack for stack in report.stacks if stack.environment == environment]
            self.confirm_environment(environment, format_totals(stacks))
        unrecorded = [stack.id for stack in report.stacks if stack.unrecorded and stack.result == "changed"]
        if unrecorded and not (self.adopt or self.app.interactive):
            raise BlockedError(
                f"No run of infra is recorded that made the state of {', '.join(unrecorded)}.",
                advice="Look at the plan; add `--adopt` to go on from that state.",
            )
        destructive = [
            stack.id for stack in report.stacks if stack.is_destructive and stack.result == "changed"
        ]
        self._confirm_plan(destructive, typed=self._types_name(protected))

    def to_repair(self, stack: str, problems: Sequence[str], steps: Sequence[str]) -> None:
        """Prints problems and the steps that repair them; asks when there are steps."""
        with self.one_at_a_time:
            self.app.note(f"{stack}:")
            for line in problems:
                self.app.note(f"  {line}")
            for step in steps:
                self.app.note(f"  → {step}")
            if not steps or self.auto_approve:
                return
            if not self.app.interactive:
                raise BlockedError(
                    f"There is no terminal to ask whether to repair {stack}.",
                    advice="Add `--auto-approve`, or run it on a terminal.",
                )
            if self._ask("Do this? [y/N] ").lower() not in ("y", "yes"):
                raise BlockedError("Not confirmed; nothing was changed.")

    def again(self, report: StackReport, why: str, *, protected: Sequence[str]) -> None:
        """Show one plan that is new since the question, and ask for it."""
        with self.one_at_a_time:
            self.app.note(f"{report.id}: {why}")
            self.show(report)
            for environment in protected:
                self.confirm_environment(environment, format_totals([report]))
            destructive = [report.id] if report.is_destructive else []
            self._confirm_plan(destructive, typed=self._types_name(protected))

    def confirm_environment(self, environment: str, totals: str = "") -> None:
        """A protected environment's name, typed or given with --confirm; the question repeats the totals."""
        if environment in self.confirmed:
            return
        if not self.app.interactive:
            raise BlockedError(
                f"{environment} is protected.", advice=f"Add `--confirm {environment}` if you mean it."
            )
        what = f"{self.verb} there ({totals})" if totals else f"{self.verb} there"
        answer = self._ask(f"{environment} is protected. Type its name to {what}: ")
        if answer != environment:
            raise BlockedError(f"{environment} was not confirmed; nothing was changed.")

    def _types_name(self, protected: Sequence[str]) -> bool:
        """Whether a name is typed after the plan was shown; one from `--confirm` was given before it."""
        return any(name not in self.confirmed for name in protected)

    def _confirm_plan(self, destructive: Sequence[str], *, typed: bool) -> None:
        """The plain question, and for deletions a yes or --allow-destroy.

        On a terminal a name that was `typed` answers the plain question too.
        """
        if not self.app.interactive:
            if not self.auto_approve:
                raise BlockedError(
                    f"There is no terminal to ask whether to {self.verb} this.",
                    advice="Add `--auto-approve`, or run it on a terminal.",
                )
            if destructive and not self.allow_destroy:
                raise BlockedError(
                    f"Something would be deleted or replaced in {', '.join(destructive)}.",
                    advice="Look at the plan; add `--allow-destroy` if that is what you want.",
                )
            return
        if typed and not destructive:
            return
        if self.auto_approve and (self.allow_destroy or not destructive):
            return
        what = f"{self.verb.capitalize()} this"
        if destructive:
            what += f"? It deletes or replaces in {', '.join(destructive)}"
        if self._ask(f"{what}? [y/N] ").lower() not in ("y", "yes"):
            raise BlockedError("Not confirmed; nothing more was changed.")

    def _ask(self, question: str) -> str:
        return _ask_line(self.app, question, self.interrupted)


def confirm_change(
    app: App, context: RunContext, stack: str, verb: str, question: str, answers: AnswerOptions
) -> None:
    """Ask before one stack's state is changed: for the name of a protected environment, then plainly.

    `verb` says what is done, such as "restore a state". Raises BlockedError when the answer is no.
    """

    def interrupted() -> bool:
        return context.supervisor.interrupted

    consent = CommandConsent(
        app, verb, lambda report: None, confirmed=answers.confirmed, interrupted=interrupted
    )
    for environment in context.protected([stack]):
        consent.confirm_environment(environment)
    confirm(app, question, is_confirmed=answers.auto_approve, interrupted=interrupted)


def confirm(
    app: App, question: str, *, is_confirmed: bool, interrupted: Callable[[], bool] = lambda: False
) -> None:
    """Asks a question, unless `is_confirmed`; BlockedError when the answer is no.

    `interrupted` is true after a Ctrl-C that a session caught; InterruptedRunError then.
    """
    if is_confirmed:
        return
    if not app.interactive:
        raise BlockedError(
            f"There is no terminal to ask: {question}",
            advice="Add `--auto-approve`, or run it on a terminal.",
        )
    if _ask_line(app, f"{question} [y/N] ", interrupted).lower() not in ("y", "yes"):
        raise BlockedError("Not confirmed; nothing was changed.")


def _ask_line(app: App, question: str, interrupted: Callable[[], bool]) -> str:
    """One line from the terminal; the question goes to standard error.

    Polls, because a read that blocks does not notice a Ctrl-C that a session caught.
    """
    app.stderr.write(app.sanitize(question))
    app.stderr.flush()
    while not select.select([app.stdin], [], [], 0.1)[0]:
        if interrupted():
            app.note("")
            raise InterruptedRunError("Interrupted; nothing more was changed.")
    return app.stdin.readline().strip()
