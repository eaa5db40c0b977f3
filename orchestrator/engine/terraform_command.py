"""`infra run`: any Terraform command in a stack; one that changes state follows the rules of an apply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TextIO

from orchestrator.engine.pipeline import refuse_outside_ci
from orchestrator.engine.recorder import LedgerRecorder, RecorderOptions
from orchestrator.engine.session import Session
from orchestrator.engine.state_queries import initialized_workdir
from orchestrator.engine.states import States
from orchestrator.errors import UsageError
from orchestrator.process import Completed
from orchestrator.report.model import Result, StackReport
from orchestrator.repository.model import Stack
from orchestrator.state.records import Outcome
from orchestrator.terraform.client import PlanOptions, Workdir
from orchestrator.terraform.command import EFFECTS, effect_of

# What to run instead of a command that is refused.
INSTEAD = {
    "apply": "`infra apply {0}` plans, asks, applies what was shown, and records it in the ledger.",
    "destroy": "`infra destroy {0}` plans, asks, destroys what was shown, and records it in the ledger.",
    "refresh": "`infra apply {0} --refresh-only` shows what it would take into the state, and asks.",
    "force-unlock": "`infra unlock {0}` releases a lock, if nobody holds it any more.",
}
OWN_WORKSPACE = "Every command runs in the stack's own workspace: `workspace` under `stacks` in infra.yaml."
OWN_FOLDER = "Name the other stack instead: `infra run STACK -- …`."


@dataclass(frozen=True)
class CommandStreams:
    """Where a command's output goes.

    `is_terminal` when it can have ours; `has_color` when who reads the output can show colours.
    """

    out: TextIO
    err: TextIO
    is_terminal: bool
    has_color: bool

    def write(self, stream: str, line: bytes) -> None:
        """One line of the command's output."""
        target = self.out if stream == "stdout" else self.err
        target.write(line.decode("utf-8", "surrogateescape") + "\n")
        target.flush()


def run_terraform(
    session: Session,
    stack: Stack,
    arguments: Sequence[str],
    streams: CommandStreams,
    recorder_options: RecorderOptions,
    consent: Callable[[], None],
) -> int:
    """Run a Terraform command line in a stack; returns its exit code.

    One that changes state is refused where only CI applies, asks for `consent`, holds the stack in the
    ledger meanwhile, and is recorded there. Raises UsageError for a command that infra does itself,
    BlockedError when it may not be run, LockedError while another run has the stack.
    """
    refuse_misspelt(arguments)
    effect = effect_of(arguments)
    if effect == "reads":
        starts = arguments[0] == "init"
        work = session.terraform.workdir(stack) if starts else initialized_workdir(session, stack, look=False)
        done = session.terraform.client.run_raw(
            work,
            arguments,
            on_line=streams.write,
            terminal=streams.is_terminal,
            color=streams.has_color,
        )
        return done.returncode
    recorder = LedgerRecorder(session, "run", recorder_options, PlanOptions())
    refuse_outside_ci(session.context, [stack.id], recorder_options.break_glass)
    if effect == "refused":
        raise _refusal(stack, arguments)
    session.memory.ledgers.check([stack])
    consent()
    work = initialized_workdir(session, stack, look=False)
    try:
        done = _run_recorded(recorder, stack, work, arguments, streams)
    finally:
        problems = recorder.save()
    for problem in problems:
        streams.write("stderr", problem.encode())
    return done.returncode


def _run_recorded(
    recorder: LedgerRecorder, stack: Stack, work: Workdir, arguments: Sequence[str], streams: CommandStreams
) -> Completed:
    """Run it as the stack's claim in the ledger; a command that left the state alone leaves no trace."""
    session = recorder.session
    memory = session.memory
    with recorder.claim(stack) as claim, session.terraform.alone_in(stack):
        before = _generation(memory.states, stack)
        claim.announce(lambda: recorder.own_lock(claim))
        done = session.terraform.client.run_raw(
            work,
            arguments,
            on_line=streams.write,
            on_start=claim.start,
            color=streams.has_color,
            deadline=work.timeouts.apply,
        )
        after = _generation(memory.states, stack)
        is_untouched = before == after and after is not None and not _is_cut_short(done)
        if is_untouched and not recorder.own_lock(claim):
            claim.give_back()
            return done
        outcome, result = outcome_of(done)
        if recorder.failed(claim, outcome) == "interrupted":
            result = "interrupted"
        words = " ".join(word for word in arguments[:2] if not word.startswith("-"))
        recorder.note(
            claim,
            StackReport(
                stack.id, stack.environment, result, reason=session.context.mask(f"terraform {words}")
            ),
        )
    return done


def _is_cut_short(done: Completed) -> bool:
    """Whether a command was interrupted; one that ended well in spite of that did all of its work."""
    return done.ended == "interrupted" and not done.ok


def outcome_of(done: Completed) -> tuple[Outcome, Result]:
    """How a command that changed the state ended, for the ledger and for the record of the run."""
    if _is_cut_short(done):
        return "interrupted", "interrupted"
    return ("modified", "applied") if done.ok else ("failed", "failed")


def _generation(states: States, stack: Stack) -> str | None:
    """The state's generation: "" where there is none, None where it cannot be told."""
    if states.location(stack) is None:
        return None
    return states.generation(stack) or ""


def refuse_misspelt(arguments: Sequence[str]) -> None:
    """Raise UsageError for a command that is nearly one of Terraform's, before anybody is asked.

    One that resembles none is Terraform's to refuse: a newer version may know it.
    """
    words = [word for word in arguments if not word.startswith("-")]
    commands = {name.partition(" ")[0] for name in EFFECTS}
    near = get_close_matches(words[0], sorted(commands), n=1, cutoff=0.8) if words else []
    if near and words[0] not in commands:
        raise UsageError(f"Terraform has no command {words[0]!r}.", advice=f"Did you mean {near[0]}?")


def _refusal(stack: Stack, arguments: Sequence[str]) -> UsageError:
    words = [word for word in arguments if not word.startswith("-")]
    if arguments[0].startswith("-"):
        return UsageError("`infra run` takes no -chdir: it runs in the stack's folder.", advice=OWN_FOLDER)
    if words[0] in INSTEAD:
        instead = INSTEAD[words[0]].format(stack.id)
        return UsageError(f"`infra run` does not run `terraform {words[0]}`.", advice=instead)
    return UsageError(f"`infra run` does not run `terraform {words[0]}`.", advice=OWN_WORKSPACE)
