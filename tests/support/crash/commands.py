"""Commands other than `apply` that change a state or the ledger, interrupted at one of their steps.

After that `infra status` explains, one command repairs, and the next apply brings everything to what the code
says.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tests.support.crash.lab import (
    CHANGED,
    CONFIG,
    HANDLED,
    HEAD,
    WORLD,
    YES,
    CrashLab,
    Round,
    Target,
    finished,
    kill,
    topic,
)
from tests.support.crash.verdict import UNFINISHED, RoundVerdict
from tests.support.crash.watched import BUCKET, CloudStep
from tests.support.repo import Repo

STACK = "dev/jobs"
STATE = "dev/state/jobs/default.tfstate"
ANSWERS = ("--auto-approve", "--confirm", "dev")
# How a command may end that is run again after an interruption: done, or there is nothing left to do.
AGAIN = (0, 3)
# How one may end that got a signal which it handles; `unlock`, which does one thing, does not.
ORDERLY = (0, 1, 6, 7, 8, 130)
UNHANDLED = ("unlock",)
_COMMAND = re.compile(r"`infra ([^`]+)`")
JOBS = CHANGED["infra/envs/dev/jobs/main.tf"]


@dataclass(frozen=True)
class CommandCase:
    """A command and what comes before it; `prepare` gives its arguments.

    `files` is the code (None: a file that is gone), by default the change of the lab. `end` is done before
    the apply at the end.
    """

    prepare: Callable[[Round], tuple[str, ...]]
    files: Mapping[str, str | None] | None = None
    end: Callable[[Round], None] = lambda round_: None


def _restore(round_: Round) -> tuple[str, ...]:
    _apply(round_)
    done = round_.infra("state", "history", STACK, "--json")
    versions = [row["generation"] for row in done.document["versions"]]
    return ("state", "restore", STACK, versions[1], *ANSWERS)


def _add_scheduled(round_: Round) -> None:
    Repo(round_.root).commit({"infra/envs/dev/jobs/main.tf": JOBS}, "Nightly")


def _forget(round_: Round) -> tuple[str, ...]:
    round_.bucket.store.delete_object(BUCKET, STATE)
    for path in round_.world.glob("*/*/*job*.json"):
        path.unlink()
    return ("state", "forget", STACK, "--reason", "the project is gone", *ANSWERS)


def _accept(round_: Round) -> tuple[str, ...]:
    state = json.loads(round_.bucket.store.read_object(BUCKET, STATE)[1])
    state["lineage"] = "11111111-2222-3333-4444-555555555555"
    round_.bucket.store.insert_object(BUCKET, STATE, json.dumps(state).encode())
    return ("state", "accept", STACK, "--lineage", state["lineage"], *ANSWERS)


def _adopt(round_: Round) -> tuple[str, ...]:
    _apply(round_)
    round_.delete_ledger()
    return ("adopt", "--all")


def _unlock(round_: Round) -> tuple[str, ...]:
    lock = {"ID": "1c2d3e4f-0000-4000-8000-000000000000", "Operation": "OperationTypeApply", "Who": "bo@x"}
    round_.bucket.store.insert_object(
        BUCKET,
        STATE.replace("tfstate", "tflock"),
        json.dumps({**lock, "Created": "2026-01-02T03:04:05Z"}).encode(),
    )
    return ("unlock", STACK, "--auto-approve")


def _drift(round_: Round) -> tuple[str, ...]:
    _apply(round_)
    (path,) = (path for path in round_.world.glob("*/*/*.json") if path.name.endswith("~job.json"))
    document = json.loads(path.read_text())
    document["attributes"]["labels"] = {"label": "by hand"}
    path.write_text(json.dumps(document))
    return ("drift", STACK, "--fix", "--action", "revert", *YES)


def _interrupted(round_: Round) -> tuple[str, ...]:
    trigger = round_.trigger
    act, cuts = trigger.act, trigger.cuts
    trigger.at, trigger.act, trigger.cuts = (
        CloudStep("after create nightly", 1),
        partial(kill, round_, "both"),
        True,
    )
    finished(round_.start("apply", STACK, *YES))
    assert trigger.struck
    trigger.at, trigger.act, trigger.cuts = None, act, cuts
    return ("resume", STACK, *YES)


def _apply(round_: Round) -> None:
    done = round_.infra("apply", "--all", *YES)
    assert done.code == 0, done.out + done.err


CASES: Mapping[str, CommandCase] = {
    "state restore": CommandCase(
        _restore,
        {"infra/envs/dev/jobs/main.tf": HEAD + topic("job", label="two")},
        end=_add_scheduled,
    ),
    "state move": CommandCase(
        lambda round_: ("state", "move", "dev/work", *ANSWERS),
        {
            "infra.yaml": f"{CONFIG}stacks: {{dev/work: {{moved: dev/jobs}}}}\n",
            "infra/envs/dev/jobs/main.tf": None,
            "infra/envs/dev/work/main.tf": JOBS,
        },
    ),
    "state move --from": CommandCase(
        lambda round_: ("state", "move", STACK, "--from", f"gs://{BUCKET}/{STATE}", *ANSWERS),
        {
            "infra.yaml": f"{CONFIG}stacks:\n  dev/jobs:\n    backend:\n"
            "      gcs: {bucket: states, prefix: dev/state/other}\n"
        },
    ),
    "state forget": CommandCase(_forget),
    "state accept": CommandCase(_accept),
    "adopt": CommandCase(_adopt),
    "unlock": CommandCase(_unlock),
    "drift --fix": CommandCase(_drift),
    "destroy": CommandCase(lambda round_: ("destroy", STACK, *YES)),
    "run taint": CommandCase(
        lambda round_: ("run", *ANSWERS, STACK, "--", "taint", "google_pubsub_topic.job")
    ),
    "resume": CommandCase(_interrupted),
    "apply": CommandCase(lambda round_: ("apply", STACK, *YES)),
}


def count_steps(lab: CrashLab, name: str) -> int:
    """The steps of a command that nothing interrupts."""
    with lab.round(act=lambda round_: None) as round_:
        argv = _prepare(lab, round_, CASES[name])
        before = len(round_.trigger.steps)
        done = round_.infra(*argv)
        assert done.code == 0, f"{name}: exit {done.code}\n{done.out}\n{done.err}"
        return len(round_.trigger.steps) - before


def interrupt_command(lab: CrashLab, name: str, number: int, target: Target) -> RoundVerdict | None:
    """One round: `target` dies at the command's step `number`; None where the command has fewer steps."""
    case = CASES[name]
    with lab.round(None, target) as round_:
        argv = _prepare(lab, round_, case)
        round_.trigger.rearm(number)
        child = round_.start(*argv)
        done = finished(child)
        if not round_.trigger.struck:
            return None
        step = round_.trigger.steps[-1]
        round_.trigger.disarm()
        verdict = RoundVerdict()
        output = f"at {step}: exit {done.code}\n{done.out}\n{done.err}"
        verdict.insist("Traceback" not in output and "defect in infra" not in output, output)
        if target in HANDLED and name not in UNHANDLED:
            verdict.insist(done.code in ORDERLY, output)
        _repair(round_, verdict, argv, output)
        if not verdict.defects:
            _bring_to_the_code(round_, verdict, case)
        return verdict


def _prepare(lab: CrashLab, round_: Round, case: CommandCase) -> tuple[str, ...]:
    repo = lab.repo
    if repo.git("branch", "--list", "changed") == "":
        repo.git("branch", "changed")
    repo.git("switch", "-q", "-C", "main", "changed")
    if case.files:
        repo.remove(*(name for name, text in case.files.items() if text is None))
        repo.commit({name: text for name, text in case.files.items() if text is not None})
    return case.prepare(round_)


def _repair(round_: Round, verdict: RoundVerdict, argv: tuple[str, ...], output: str) -> None:
    """Follow the advice of `infra status`, or run the command again where nothing is unfinished."""
    status = round_.infra("status", "--json")
    verdict.insist(status.code == 0, f"status: exit {status.code}\n{status.out}\n{status.err}")
    rows = {row["id"]: row for row in status.document["stacks"]}
    unfinished = {id: row for id, row in rows.items() if row["status"] in UNFINISHED}
    locked = {id for id, row in rows.items() if row["lock"]}
    for id in locked:
        verdict.insist(rows[id]["advice"], f"status says nothing of the lock of {id}: {rows}\n{output}")
    if unfinished:
        advice = next(iter(unfinished.values()))["advice"]
        command = _COMMAND.search(advice)
        verdict.insist(command, f"no command in the advice {advice!r} of {unfinished}\n{output}")
        if command is None:
            return
        words = tuple(shlex.split(command[1]))
        done = round_.infra(*words, *(("--auto-approve",) if words[0] == "unlock" else YES))
        verdict.insist(
            done.code == 0, f"infra {command[1]}: exit {done.code}\n{done.out}\n{done.err}\n{output}"
        )
        verdict.outcome = words[0]
    else:
        done = round_.infra(*argv)
        verdict.insist(done.code in AGAIN, f"again: exit {done.code}\n{done.out}\n{done.err}\n{output}")
        verdict.outcome = "again" if done.code == 0 else "nothing to do"
    open_ones = {id: entry["operation"] for id, entry in round_.entries().items() if entry["operation"]}
    after = f"{verdict.outcome}: exit {done.code}\n{done.out}\n{done.err}\n{output}"
    verdict.insist(not open_ones, f"still open: {open_ones}\n{after}")
    verdict.insist(not round_.locks(), f"still locked: {round_.locks()}\n{after}")
    verdict.insist(not round_.terraforms(), f"a Terraform is still there\n{after}")


def _bring_to_the_code(round_: Round, verdict: RoundVerdict, case: CommandCase) -> None:
    """The next apply brings cloud, states and ledger to what the code says."""
    case.end(round_)
    done = round_.infra("apply", "--all", *YES)
    output = f"apply at the end: exit {done.code}\n{done.out}\n{done.err}"
    verdict.insist(done.code == 0, output)
    verdict.insist(
        round_.exists() == WORLD == round_.known(), f"{round_.exists() ^ round_.known()}\n{output}"
    )
    verdict.insist(not round_.effects.refused, f"made again, and refused: {round_.effects.refused}")
