"""One scheduled check after another on recorded plans: resources, code and people change at random.

A model that knows nothing of how issues are kept says which of them must be open after each check.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.config.drift import Drift
from orchestrator.drift.classify import classify
from orchestrator.drift.episodes import add_history, name_event, update_record
from orchestrator.drift.issue_text import ScheduledCheck
from orchestrator.drift.issues import IssueUpdater, ScheduledResults
from orchestrator.drift.model import DriftedResource, DriftFacts
from orchestrator.drift.records import add_saved_history
from orchestrator.drift.report import StackDrift
from orchestrator.forge.github import open_github
from orchestrator.forge.outbox import Outbox
from orchestrator.forge.retry_policy import RetryPolicy
from orchestrator.masking import Masker
from orchestrator.plan.reader import read_plan
from orchestrator.state.drift_store import DriftRecord
from orchestrator.state.records import LedgerEntry
from tests.support.github import ServedGitHub

RECORDED = Path(__file__).parents[1] / "data" / "plans" / "drift"
CASES = ("nested", "shapes", "table")
QUIET = ("ignored", "noise")
BEGAN = datetime(2026, 1, 1, 3, 17, tzinfo=UTC)

APPLIED = LedgerEntry("", commit="c" * 40, fingerprint="f0", run="R0", result="applied")


@cache
def recorded(case: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A recorded plan, and for each address what it is known to be."""
    folder = RECORDED / case
    return json.loads((folder / "plan.json").read_text()), json.loads((folder / "expected.json").read_text())


@cache
def found_in(case: str, edited: frozenset[str]) -> tuple[DriftedResource, ...]:
    """What a check finds when those resources and no others are not as they were applied."""
    whole, _ = recorded(case)
    parts = {
        name: [item for item in whole.get(name, ()) if item["address"] in edited]
        for name in ("resource_drift", "resource_changes")
    }
    raw = {**whole, **parts}
    facts = DriftFacts(volatile=("*.next_run_time", "*.last_modifier", "*.latest_ready_revision"))
    return classify(read_plan(json.dumps(raw).encode(), Masker()), raw, facts)


@dataclass
class Simulated:
    """One stack: what of the recorded plan is edited in the world now, and what the ledger says."""

    id: str
    environment: str
    case: str
    edited: set[str] = field(default_factory=set)
    entry: LedgerEntry = APPLIED
    generation: int = 1
    record: DriftRecord | None = None
    on_trunk: bool = True

    @property
    def loud(self) -> frozenset[str]:
        """The resources that somebody should look at."""
        resources = found_in(self.case, frozenset(self.edited))
        return frozenset(resource.address for resource in resources if resource.category not in QUIET)


@dataclass
class ExpectedIssues:
    """What the issues must be, derived from what was done to the world and what each check could see."""

    drifting: dict[str, frozenset[str]] = field(default_factory=dict)
    closed_by_hand: set[str] = field(default_factory=set)
    ever: set[str] = field(default_factory=set)
    comments: Counter[str] = field(default_factory=Counter)

    @property
    def open(self) -> set[str]:
        """The stacks that have an open issue."""
        return self.drifting.keys() - self.closed_by_hand

    def seen(self, stack: str, loud: frozenset[str]) -> None:
        """A check could look at a stack, and this is what drifts in it."""
        before = self.drifting.pop(stack, None)
        reopened = stack in self.closed_by_hand
        self.closed_by_hand.discard(stack)
        if not loud:
            # One that a person closed is closed already.
            self.comments[stack] += before is not None and not reopened
            return
        self.drifting[stack] = loud
        if before is None:
            self.comments[stack] += stack in self.ever
        else:
            self.comments[stack] += reopened or before != loud
        self.ever.add(stack)

    def remove_stack(self, stack: str) -> None:
        """Trunk has a stack no longer."""
        if self.drifting.pop(stack, None) is not None:
            self.comments[stack] += stack not in self.closed_by_hand
        self.closed_by_hand.discard(stack)


class RandomChecks:
    """An estate of `stacks` in two environments, with a scheduled check each day."""

    def __init__(
        self, github: ServedGitHub, seed: int, stacks: int = 8, settings: Drift | None = None
    ) -> None:
        self.github = github
        self.random = random.Random(seed)
        self.settings = settings or Drift()
        self.model = ExpectedIssues()
        self.day = 0
        self.happened: Counter[str] = Counter()
        names = [f"{'prod' if number % 3 == 0 else 'dev'}/s{number}" for number in range(stacks)]
        self.stacks = {
            name: Simulated(name, name.partition("/")[0], CASES[number % len(CASES)])
            for number, name in enumerate(names)
        }
        environ = github.environ(github.token(issues="write"), "schedule")
        self.host = open_github(environ, RetryPolicy(sleep=lambda seconds: None))

    def __enter__(self) -> RandomChecks:
        return self

    def __exit__(self, *_: object) -> None:
        self.host.close()

    def play_step(self) -> None:
        """One day: things happen, the check runs, the issues are updated, the model compares."""
        self.day += 1
        for _ in range(self.random.randrange(4)):
            self._something()
        self._people()
        lost = self._chance("a job's report was lost", 0.05) and self.random.choice(("dev", "prod"))
        results = {}
        for stack in self.stacks.values():
            if not stack.on_trunk:
                self.model.remove_stack(stack.id)
            elif stack.environment != lost:
                results[stack.id] = self._checked(stack)
        if self._chance("GitHub was in trouble", 0.2):
            self.github.fault(method=self.random.choice(("GET", "PATCH", "POST")), status=502, times=1)
        self._publish(results)
        self.github.server.faults.clear()
        self.compare()

    def compare(self) -> None:
        """No duplicate, no stale issue, none missing; and nobody was notified without need."""
        opened = [issue for issue in self._issues() if issue.state == "open"]
        by_stack = self.settings.issues == "stack"
        environments = self.model.open
        if not by_stack:
            environments = {self.stacks[id_].environment for id_ in self.model.drifting}
        titles = sorted(item.title for item in opened)
        assert titles == sorted(f"Drift in {name}" for name in environments), f"day {self.day}"
        if by_stack:
            for issue in self._issues():
                stack = issue.title.removeprefix("Drift in ")
                comments = [comment for comment in issue.comments if comment.author != "olga"]
                assert len(comments) == self.model.comments[stack], f"day {self.day}: {stack}"
            assert len(self._issues()) == len(self.model.ever), f"day {self.day}"

    # What happens between two checks

    def _something(self) -> None:
        stack = self.random.choice(list(self.stacks.values()))
        what = self.random.choices(
            (self._edit, self._fix, self._apply, self._merge, self._destroy, self._remove, self._again),
            (10, 5, 3, 2, 1, 1, 2),
        )[0]
        self.happened[what.__name__.lstrip("_")] += 1
        what(stack)

    def _edit(self, stack: Simulated) -> None:
        if stack.entry.result != "destroyed":
            addresses = sorted(recorded(stack.case)[1])
            stack.edited |= set(self.random.sample(addresses, self.random.randint(1, 2)))

    def _fix(self, stack: Simulated) -> None:
        if stack.edited:
            stack.edited -= set(self.random.sample(sorted(stack.edited), 1))

    def _apply(self, stack: Simulated) -> None:
        stack.edited.clear()
        stack.generation += 1
        stack.entry = replace(stack.entry, run=f"R{self.day}", result="applied")

    def _merge(self, stack: Simulated) -> None:
        self._apply(stack)
        stack.entry = replace(stack.entry, fingerprint=f"f{self.day}")

    def _destroy(self, stack: Simulated) -> None:
        self._apply(stack)
        stack.entry = replace(stack.entry, result="destroyed")

    def _remove(self, stack: Simulated) -> None:
        stack.on_trunk = False

    def _again(self, stack: Simulated) -> None:
        stack.on_trunk = True
        self._apply(stack)

    def _people(self) -> None:
        """Somebody closes an issue that is not over, or takes its labels away; both would make it theirs."""
        opened = [issue for issue in self._issues() if issue.state == "open"]
        if not opened or self.settings.issues != "stack":
            return
        if self._chance("a person closed an issue", 0.1):
            issue = self.random.choice([item for item in opened if item.labels] or opened)
            if not issue.labels:
                return
            self.github.close(issue.number)
            self.model.closed_by_hand.add(issue.title.removeprefix("Drift in "))
        elif self._chance("a person took labels off", 0.1):
            issue = self.random.choice(opened)
            for label in list(issue.labels):
                self.github.unlabel(issue.number, label)

    # The check, and what is published of it

    def _checked(self, stack: Simulated) -> StackDrift:
        result = StackDrift(stack.id, stack.environment, "clean", commit=stack.entry.commit)
        if stack.entry.result == "destroyed":
            self.model.seen(stack.id, frozenset())
            result = replace(result, result="destroyed", reason="it was destroyed")
        elif self._chance("a check failed", 0.08):
            result = replace(result, result="unchecked", reason="no answer", failed=True)
        elif self._chance("no time was left", 0.05):
            return replace(result, result="skipped", reason="the time was used up")
        else:
            self.model.seen(stack.id, stack.loud)
            result = replace(result, resources=found_in(stack.case, frozenset(stack.edited)))
            result = replace(result, result="drifted" if result.loud else "clean")
        history = add_history(result, stack.record)
        at, run = self._at, f"D{self.day}"
        after = update_record(stack.record, history, stack.entry, str(stack.generation), run=run, at=at)
        event, stack.record = name_event(stack.record, after), after
        return add_saved_history(history, after, event)

    def _publish(self, results: Mapping[str, StackDrift]) -> None:
        known = {stack.id: stack.environment for stack in self.stacks.values() if stack.on_trunk}
        outbox = Outbox()
        IssueUpdater(
            self.host, ScheduledResults(results, known, ScheduledCheck(self._at)), self.settings, outbox
        ).update()
        assert not outbox.failures

    @property
    def _at(self) -> str:
        return f"{BEGAN + timedelta(days=self.day):%Y-%m-%dT%H:%M:%SZ}"

    def _issues(self) -> list[Any]:
        with self.github.locked_repository as repository_data:
            return [issue for issue in repository_data.repository.issues.values() if issue.pull is None]

    def _chance(self, what: str, share: float) -> bool:
        hit = self.random.random() < share
        self.happened[what] += hit
        return hit
