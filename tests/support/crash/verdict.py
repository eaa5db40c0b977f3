"""What must hold after an apply was interrupted: `status` names it, `resume` makes all of it agree."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from tests.support.crash.lab import STACKS, WORLD, YES, FinishedInfra, Round

UNFINISHED = ("unfinished", "running")
# How a stack that nothing is wrong with may have ended.
WHOLE = ("applied", "unchanged")
# How an apply may end whose ledger was deleted: applied, an error, nobody knows who made the state, another
# run may be at work, the outcome was not written.
LEDGER_GONE = (0, 1, 4, 6, 7)


@dataclass
class RoundVerdict:
    """`outcome` in a word or two, and what was not as it should be."""

    outcome: str = ""
    defects: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def insist(self, holds: object, text: str) -> None:
        """Note a defect unless something holds."""
        if not holds:
            self.defects.append(text)


def repair(round_: Round, *, killed_again_after: int | None = None) -> RoundVerdict:
    """Look, resume and check; what was started first has ended or was killed.

    With `killed_again_after` a first resume is killed after so many steps, if it comes that far.
    """
    began = time.monotonic()
    verdict = RoundVerdict()
    round_.trigger.disarm()
    living = bool(round_.terraforms())
    suspects = _suspects(round_)
    lost = round_.exists() - round_.known()
    unfinished = _named(round_, verdict, suspects, lost and not living)
    if unfinished:
        dead = {entry["operation"]["run"] for entry in round_.entries().values() if _died(entry)}
        if killed_again_after is not None:
            round_.trigger.rearm(killed_again_after)
            round_.infra("resume", *YES)
            round_.trigger.disarm()
        done = round_.infra("resume", *YES)
        runs = " ".join(round_.objects("dev/ledger/runs/"))
        verdict.insist(all(run in runs for run in dead), f"not in the history: {dead}")
        _agreement(round_, verdict, done)
        verdict.outcome = _outcome(living, lost, done)
    else:
        begun = round_.effects.created or round_.effects.changed
        verdict.outcome = "whole" if _applied(round_) else "in order" if begun else "not begun"
        verdict.insist(round_.exists() == round_.known(), "no stack is unfinished, yet the world differs")
    if not verdict.defects and verdict.outcome != "named":
        _the_rest(round_, verdict)
    _never_twice(round_, verdict)
    verdict.seconds = time.monotonic() - began
    return verdict


def without_ledger(round_: Round, done: FinishedInfra) -> RoundVerdict:
    """What must hold after an apply whose ledger was deleted under way: nothing is lost or done twice.

    `done` is that apply. What was not recorded any more is taken up by `--adopt`.
    """
    began = time.monotonic()
    verdict = RoundVerdict()
    round_.trigger.disarm()
    output = f"exit {done.code}\n{done.out}\n{done.err}"
    verdict.insist("Traceback" not in output and "defect in infra" not in output, output)
    verdict.insist(done.code in LEDGER_GONE, output)
    verdict.insist(not round_.terraforms(), f"a Terraform is still there\n{output}")
    verdict.insist(
        round_.exists() == round_.known(), f"in no state: {round_.exists() ^ round_.known()}\n{output}"
    )
    head = _head(round_)
    recorded = [id for id, entry in round_.entries().items() if entry["commit"] == head]
    verdict.outcome = f"recorded {len(recorded)} of {len(STACKS)} (exit {done.code})"
    if _named(round_, verdict, set(), torn=False):
        resumed = round_.infra("resume", *YES)
        verdict.insist(resumed.code == 0, f"resume: exit {resumed.code}\n{resumed.out}\n{resumed.err}")
    if not verdict.defects:
        _the_rest(round_, verdict, "--adopt")
    _never_twice(round_, verdict)
    verdict.seconds = time.monotonic() - began
    return verdict


def named_first(round_: Round, target: str) -> RoundVerdict:
    """What must hold where the provider refuses to import `target` (`TYPE/ID`), and then does not any more.

    The first resume names it, keeps the stack unfinished and applies the rest; the second one imports it.
    """
    began = time.monotonic()
    verdict = RoundVerdict()
    round_.trigger.disarm()
    name = target.rsplit("/", 1)[-1]
    faults = round_.refuse_import(target)
    done = round_.infra("resume", *YES)
    output = f"exit {done.code}\n{done.out}\n{done.err}"
    verdict.insist(done.code == 7, f"resume: {output}")
    verdict.insist(
        name in done.out + done.err and "Traceback" not in output, f"{name} is not named\n{output}"
    )
    verdict.insist(not round_.locks(), f"still locked: {round_.locks()}\n{output}")
    verdict.insist(
        round_.exists() - round_.known() == {target}, f"not alone: {round_.exists() ^ round_.known()}"
    )
    verdict.insist(_named(round_, verdict, set(), torn=True), "status names nothing")
    faults.clear()
    again = round_.infra("resume", *YES)
    _agreement(round_, verdict, again)
    verdict.insist(again.code == 0, f"second resume: exit {again.code}\n{again.out}\n{again.err}")
    verdict.outcome = "named, then taken back"
    if not verdict.defects:
        _the_rest(round_, verdict)
    _never_twice(round_, verdict, tries={target})
    verdict.seconds = time.monotonic() - began
    return verdict


def _died(entry: Mapping[str, Any]) -> bool:
    """Whether a ledger's entry tells of a run that was applying and never came to its end."""
    return bool(entry["operation"]) and entry["operation"]["phase"] == "applying"


def _suspects(round_: Round) -> set[str]:
    """The stacks whose state is locked: somebody was, or is, in the middle of them."""
    return {f"dev/{name.split('/')[2]}" for name in round_.locks()}


def _named(round_: Round, verdict: RoundVerdict, suspects: set[str], torn: object) -> set[str]:
    """The stacks that `status` calls unfinished."""
    done = round_.infra("status", "--json")
    statuses = {stack["id"]: stack["status"] for stack in done.document["stacks"]}
    unfinished = {id for id, word in statuses.items() if word in UNFINISHED}
    verdict.insist(
        suspects <= unfinished, f"status does not name {sorted(suspects - unfinished)}: {statuses}"
    )
    verdict.insist(unfinished or not torn, f"status names nothing: {statuses}")
    return unfinished


def _agreement(round_: Round, verdict: RoundVerdict, done: FinishedInfra) -> None:
    """World, states and ledger agree after a resume."""
    out = done.out + done.err
    exists, recorded = round_.exists(), round_.known()
    lost = [exist for exist in exists - recorded if f"{exist.rsplit('/', 1)[-1]}" not in out]
    verdict.insist(not lost, f"exists, in no state and not named: {lost}\n{out}")
    verdict.insist(recorded <= exists, f"in a state, and does not exist: {recorded - exists}\n{out}")
    verdict.insist(not round_.locks(), f"still locked: {round_.locks()}\n{out}")
    verdict.insist(not round_.terraforms(), f"a Terraform is still there\n{out}")
    verdict.insist("Traceback" not in out, out)
    verdict.insist(done.code == 0 or exists - recorded, f"resume: exit {done.code}\n{out}")
    states = round_.objects("dev/state/")
    for id, entry in round_.entries().items():
        verdict.insist(entry["operation"] is None, f"{id} still has an operation\n{out}")
        now = states.get(f"dev/state/{id.split('/')[1]}/default.tfstate")
        verdict.insist(
            done.code != 0 or entry["state_generation"] == now, f"{id}: not the state's generation\n{out}"
        )


def _outcome(living: bool, lost: set[str], done: FinishedInfra) -> str:
    """What it took."""
    if done.code != 0:
        return "named"
    if living:
        return "followed"
    return "taken back" if lost else "resumed"


def _applied(round_: Round) -> bool:
    return round_.exists() == WORLD == round_.known()


def _the_rest(round_: Round, verdict: RoundVerdict, *options: str) -> None:
    """What had not begun is applied by the next apply, and then everything is as it should be."""
    head = _head(round_)
    entries = round_.entries()
    if not (_applied(round_) and all(id in entries and entries[id]["commit"] == head for id in STACKS)):
        done = round_.infra("apply", "--all", *YES, *options)
        verdict.insist(done.code == 0, f"apply of the rest: exit {done.code}\n{done.out}\n{done.err}")
    verdict.insist(round_.exists() == WORLD, f"the world is not what was wanted: {round_.exists() ^ WORLD}")
    verdict.insist(round_.known() == WORLD, f"the states are not what was wanted: {round_.known() ^ WORLD}")
    verdict.insist(not round_.locks(), f"locked at the end: {round_.locks()}")
    whole = (*WHOLE, "adopted") if "--adopt" in options else WHOLE
    for id, entry in round_.entries().items():
        at = (entry["commit"], entry["operation"], entry["result"] in whole)
        verdict.insist(at == (head, None, True), f"{id} is not recorded as applied: {entry}")


def _never_twice(round_: Round, verdict: RoundVerdict, tries: Set[str] = frozenset()) -> None:
    """Nothing was made twice, nothing was changed again to what it was; only `tries` were tried again."""
    effects = round_.effects
    twice = [address for address, count in (effects.created + effects.changed).items() if count > 1]
    refused = [address for address in effects.refused if address not in tries]
    verdict.insist(not twice, f"done twice: {twice}")
    verdict.insist(not effects.idle, f"changed to what it was: {effects.idle}")
    verdict.insist(not refused, f"made again, and refused: {refused}")


def _head(round_: Round) -> str:
    ref = (round_.root / ".git/HEAD").read_text().strip().removeprefix("ref: ")
    return (round_.root / ".git" / ref).read_text().strip()
