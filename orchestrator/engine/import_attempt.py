"""Finds a plan that imports as many orphans as Terraform accepts, and leaves alone what it refuses.

Terraform decides: whatever it refuses is left out, with its answer, and never keeps the rest from being
imported. How a plan is made is given, so that all of this runs without Terraform.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.engine.orphans import Orphan, OrphanReport
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.plan.model import ResourceChange
from orchestrator.terraform.model import Workdir

# The file of import blocks, one of `BLOCK_LINES` lines for each orphan. Not an override file: those may have
# no import blocks.
IMPORTS = "infra_imports_of_resume.tf"
BLOCK_LINES = 4
ANSWER_LENGTH = 300
# From this length on an id in a diagnostic is no accident.
TELLING_LENGTH = 8
DOUBLED = "it replaces {}, which the state still has and which may still exist"
NO_IMPORT = "its provider has no import for it"
WAITS = "it depends on what was not imported"

# Plans with these imports; only for the addresses given, or for all where there are none. Returns where it
# was planned too, since it must be applied there.
PlanImports = Callable[[Sequence[Orphan], Sequence[str]], tuple[StackPlan, Workdir]]
# Gives an orphan's import id, now that its creation is planned with more values known; empty for none.
ImportIdOf = Callable[[Orphan, ResourceChange], str]
# Gives those of the second addresses that depend on one of the first, by the code in that folder.
DependentsOf = Callable[[Workdir, Collection[str], Collection[str]], Collection[str]]
Diagnostic = Mapping[str, Any]


@dataclass(frozen=True)
class RefusedImport:
    """An orphan that was not imported. `answer` is Terraform's, or why it was not asked."""

    orphan: Orphan
    answer: str = ""

    def __str__(self) -> str:
        return f"{self.orphan}: {self.answer}" if self.answer else str(self.orphan)


@dataclass(frozen=True)
class ImportResult:
    """A plan that imports, and what became of each orphan that was tried.

    `taken` are in the plan; `absent` do not exist any more, or never did; `refused` exist, or may exist, and
    cannot be imported. Those of them that certainly exist are left alone by the plan, with all that depends
    on them; `is_applicable` is false where no such plan was found.
    """

    planned: StackPlan
    work: Workdir
    taken: tuple[Orphan, ...] = ()
    absent: tuple[Orphan, ...] = ()
    refused: tuple[RefusedImport, ...] = ()
    is_applicable: bool = True

    @property
    def remaining(self) -> tuple[RefusedImport, ...]:
        """What certainly exists and is in no state after the plan is applied."""
        return tuple(refusal for refusal in self.refused if refusal.orphan.certain)


def import_orphans(
    plan: PlanImports,
    orphans: Sequence[Orphan],
    doubled: Sequence[Orphan] = (),
    is_importable: Callable[[str], bool] = lambda type_: True,
    import_id_of: ImportIdOf = lambda orphan, change: "",
    dependents_of: DependentsOf = lambda work, addresses, among: (),
) -> ImportResult:
    """Plan with all imports; then without those that Terraform refuses, until it accepts the rest.

    What an import id is made of may be known only once what it depends on is imported: each plan is looked
    at for ids that it makes known, and those are tried, too.
    """
    trying = [orphan for orphan in orphans if orphan.import_id]
    waiting = [orphan for orphan in orphans if not orphan.import_id and not orphan.rejected]
    refusals = {orphan.address: RefusedImport(orphan, DOUBLED.format(orphan.replaced)) for orphan in doubled}
    refusals |= {
        orphan.address: RefusedImport(orphan, "" if is_importable(orphan.type) else NO_IMPORT)
        for orphan in waiting
        if orphan.certain
    }
    absent: list[Orphan] = []
    tried = {orphan.import_id for orphan in trying}
    while True:
        planned, work = plan(trying, ())
        blamed = _refused_imports(plan, planned, trying) if planned.report.result == "failed" else {}
        for orphan in [orphan for orphan in trying if orphan.address in blamed]:
            trying.remove(orphan)
            diagnostic = blamed[orphan.address]
            if _is_absent(diagnostic):
                absent.append(orphan)
            else:
                waiting.append(orphan)
                refusals[orphan.address] = RefusedImport(orphan, terraform_answer(diagnostic))
        if blamed:
            continue
        known_ids = _with_known_ids(planned, waiting, import_id_of, tried)
        if not known_ids:
            break
        tried |= {orphan.import_id for orphan in known_ids}
        trying += known_ids
        resolved = {orphan.address for orphan in known_ids}
        waiting = [orphan for orphan in waiting if orphan.address not in resolved]
        refusals = {address: refusal for address, refusal in refusals.items() if address not in resolved}
    result = ImportResult(planned, work, tuple(trying), tuple(absent), tuple(refusals.values()))
    return _without_remaining(plan, dependents_of, result) if result.remaining else result


def _with_known_ids(
    planned: StackPlan, waiting: Sequence[Orphan], import_id_of: ImportIdOf, tried: Collection[str]
) -> list[Orphan]:
    """The orphans whose import id a plan makes known, with that id."""
    plan = planned.plan
    changes = {plan.real_address(change.address): change for change in plan.changes} if plan else {}
    ids = {
        orphan.address: import_id_of(orphan, changes[orphan.address])
        for orphan in waiting
        if orphan.address in changes
    }
    return [
        replace(orphan, import_id=ids[orphan.address])
        for orphan in waiting
        if ids.get(orphan.address) and ids[orphan.address] not in tried
    ]


def _without_remaining(plan: PlanImports, dependents_of: DependentsOf, result: ImportResult) -> ImportResult:
    """A plan that does not create again what exists and was not imported.

    All else is in it; then, as far as necessary, all but what depends on that, or the imports alone.
    """
    kept_out = {refusal.orphan.address for refusal in result.remaining}
    changed = _changed(result.planned)
    if result.planned.report.result == "failed" or not changed & kept_out:
        return result
    attempts: tuple[Callable[[], Collection[str]], ...] = (
        lambda: (),
        lambda: dependents_of(result.work, kept_out, changed),
        lambda: changed - {orphan.address for orphan in result.taken},
    )
    tried: list[set[str]] = [set()]
    for waiting_in in attempts:
        waiting = set(waiting_in())
        targets = changed - kept_out - waiting
        if targets in tried:
            continue
        tried.append(targets)
        taken = tuple(orphan for orphan in result.taken if orphan.address not in waiting)
        planned, work = plan(taken, sorted(targets))
        if planned.report.result != "failed" and not _changed(planned) & kept_out:
            refused_imports = [RefusedImport(orphan, WAITS) for orphan in result.taken if orphan not in taken]
            return ImportResult(planned, work, taken, result.absent, (*result.refused, *refused_imports))
    return ImportResult(result.planned, result.work, (), result.absent, result.refused, is_applicable=False)


def _changed(planned: StackPlan) -> set[str]:
    """The addresses that a plan changes, imports included."""
    plan = planned.plan
    return {plan.real_address(change.address) for change in plan.shown_changes} if plan else set()


def _refused_imports(
    plan: PlanImports, planned: StackPlan, trying: Sequence[Orphan]
) -> dict[str, Diagnostic]:
    """The orphans whose import made a plan fail, by address, with Terraform's diagnostic.

    A provider's own refusal has no address. What the diagnostics do not tell is found by planning for half
    of the orphans, and half of those, until each refusal stands alone.
    """
    errors = [
        diagnostic for diagnostic in planned.report.diagnostics if diagnostic.get("severity") == "error"
    ]
    blamed: dict[str, Diagnostic] = {}
    for diagnostic in errors:
        about = [orphan for i, orphan in enumerate(trying) if _is_about(diagnostic, i, orphan)]
        if len(about) == 1:
            blamed.setdefault(about[0].address, diagnostic)
    if blamed or not trying or plan((), ())[0].report.result == "failed":
        return blamed
    return _isolated(plan, trying)


def _isolated(plan: PlanImports, group: Sequence[Orphan]) -> dict[str, Diagnostic]:
    planned, _ = plan(group, [orphan.address for orphan in group])
    if planned.report.result != "failed":
        return {}
    if len(group) == 1:
        errors = [
            diagnostic for diagnostic in planned.report.diagnostics if diagnostic.get("severity") == "error"
        ]
        return {group[0].address: errors[0] if errors else {"summary": planned.report.reason}}
    half = len(group) // 2
    return {**_isolated(plan, group[:half]), **_isolated(plan, group[half:])}


def _is_about(diagnostic: Diagnostic, index: int, orphan: Orphan) -> bool:
    """Whether a diagnostic names an orphan: by its address, its import block, or its import id."""
    if diagnostic.get("address") == orphan.address:
        return True
    first = BLOCK_LINES * index + 1
    line = diagnostic.get("line") or 0
    if str(diagnostic.get("file") or "").endswith(IMPORTS) and first <= line < first + BLOCK_LINES:
        return True
    text = " ".join(f"{diagnostic.get('summary')} {diagnostic.get('detail')}".split())
    quoted = (f'"{orphan.address}"', f'"{orphan.import_id}"', f"({orphan.import_id})")
    return any(name in text for name in quoted) or _is_named(orphan.import_id, text)


def _is_named(import_id: str, text: str) -> bool:
    """Whether a text has an id that is no common word, as a word of its own."""
    if len(import_id) < TELLING_LENGTH:
        return False
    return re.search(rf"(?<![\w/:.-]){re.escape(import_id)}(?![\w/:-]|\.\w)", text) is not None


def _is_absent(diagnostic: Diagnostic) -> bool:
    return "non-existent remote object" in f"{diagnostic.get('summary')} {diagnostic.get('detail')}".lower()


def terraform_answer(diagnostic: Diagnostic) -> str:
    """Terraform's own words in one line."""
    detail = re.sub(r"(?m)^\s*\d+: .*$|^on .+ line \d+.*$", "", str(diagnostic.get("detail") or ""))
    text = " ".join(f"{diagnostic.get('summary') or ''}. {detail}".split()).strip(". ")
    return text if len(text) <= ANSWER_LENGTH else f"{text[:ANSWER_LENGTH]}…"


def import_notes(
    result: ImportResult,
    comparison: OrphanReport,
    secrets: Callable[[str], Sequence[str]],
    replaces: Collection[str] = (),
) -> list[str]:
    """What was found out of each orphan, for the plan's report; `secrets` are by type what is given once."""
    resolved = {orphan.address for orphan in (*result.taken, *result.absent)}
    answers = {refusal.orphan.address: refusal for refusal in result.refused}
    notes = []
    for orphan in result.taken:
        status = "was created, and is in no state" if orphan.certain else "exists already"
        notes.append(f"{orphan} {status}: it is imported")
        lost = secrets(orphan.type)
        if lost and orphan.address not in replaces:
            notes.append(
                f"{orphan}: its provider gives {' and '.join(lost)} once, when it is created, and an import "
                f"leaves that empty: add `--replace {orphan.address}` to create it again"
            )
    for orphan in result.absent:
        if orphan.begun:
            notes.append(f"{orphan} was {'created' if orphan.certain else 'begun'}, and does not exist")
    notes += [f"{refusal}" for refusal in result.remaining]
    for orphan in comparison.maybe:
        if orphan.address not in resolved:
            answer = answers.get(orphan.address)
            notes.append(f"may exist: {answer or orphan}; look for it")
    return notes + [f"{address} is created again, which does no harm" for address in comparison.recreated]


def destroyed_imports(result: ImportResult, replaces: Collection[str] = ()) -> list[str]:
    """The addresses that are imported and deleted or replaced at once, which nobody requested."""
    plan = result.planned.plan
    taken = {orphan.address for orphan in result.taken} - set(replaces)
    return [
        change.address
        for change in (plan.changes if plan else ())
        if plan and plan.real_address(change.address) in taken and change.is_destructive
    ]


def describe_refusal(refusal: RefusedImport, accepted: Sequence[str]) -> str:
    """A refusal, with the form that the type's import takes where that is known."""
    return f"{refusal} (import takes {accepted[0]})" if accepted else str(refusal)
