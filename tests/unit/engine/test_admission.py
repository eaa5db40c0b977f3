"""Which stacks may run side by side: limits for providers, memory, and what is learnt of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.engine.admission import FILE, PeakMemory, StackAdmission, usable_memory
from orchestrator.engine.scheduler import run_in_order
from orchestrator.process.machine import STACK_KIB

GOOGLE = "registry.terraform.io/hashicorp/google"
BETA = "registry.terraform.io/hashicorp/google-beta"
PROVIDERS = {
    "g1": frozenset({GOOGLE}),
    "g2": frozenset({GOOGLE, BETA}),
    "g3": frozenset({GOOGLE}),
    "other": frozenset({"registry.terraform.io/acme/google-cloud"}),
    "none": frozenset[str](),
}
MIB = 1024


def of(stack: str) -> frozenset[str]:
    return PROVIDERS[stack]


@pytest.mark.parametrize(
    ("limits", "item", "running", "admitted"),
    [
        ({}, "g1", ["g2", "g3"], True),
        ({"google": 1}, "g1", [], True),
        ({"google": 1}, "g1", ["g2"], False),
        ({"google": 2}, "g1", ["g2"], True),
        ({"google": 2}, "g1", ["g2", "g3"], False),
        ({"google": 1}, "other", ["g1"], True),
        ({"google": 1}, "none", ["g1"], True),
        ({"google": 1}, "g1", ["none", "other"], True),
        ({"google-beta": 1}, "g1", ["g2"], True),
        ({"hashicorp/google": 1}, "g1", ["g3"], False),
        ({GOOGLE: 1}, "g1", ["g3"], False),
        ({"acme/google": 1}, "g1", ["g3"], True),
        ({"google": 9, "google-beta": 1}, "g2", ["g2"], False),
    ],
)
def test_a_provider_has_its_own_limit(
    limits: dict[str, int], item: str, running: list[str], admitted: bool
) -> None:
    assert StackAdmission(of, limits).admits(item, running) is admitted


@pytest.mark.parametrize(
    ("budget", "running", "admitted"),
    [
        (None, ["g1", "g3"], True),
        (300 * MIB, [], True),
        (100 * MIB, [], True),  # else it would never start
        (300 * MIB, ["g3"], False),
        (400 * MIB, ["g3"], True),
        (400 * MIB, ["g3", "none"], False),
        (401 * MIB, ["g3", "none"], True),
    ],
)
def test_no_more_stacks_run_than_fit_into_memory(
    budget: int | None, running: list[str], admitted: bool
) -> None:
    needs = {of("g1"): 200 * MIB, of("none"): MIB}
    admission = StackAdmission(of, memory_of=lambda providers: needs[providers], budget=budget)
    assert admission.admits("g1", running) is admitted


def test_the_scheduler_starts_what_is_admitted_and_all_of_it_ends() -> None:
    lock, running, most_google, most = threading.Lock(), set[str](), 0, 0
    pair = threading.Barrier(2, timeout=5)

    def work(item: str) -> str:
        nonlocal most_google, most
        with lock:
            running.add(item)
            most_google = max(most_google, sum(GOOGLE in of(name) for name in running))
            most = max(most, len(running))
        if item in ("g1", "none"):
            pair.wait()
        with lock:
            running.discard(item)
        return item

    # Three with google come first; that they may not run together keeps nobody else waiting.
    items = ["g1", "g2", "g3", "none", "other"]
    admission = StackAdmission(of, {"google": 1})
    assert list(run_in_order(items, {}, work, workers=4, admission=admission)) == items
    assert (most_google, most >= 2) == (1, True)


def test_what_a_set_of_providers_needed_is_saved_for_later_runs(tmp_path: Path) -> None:
    first = PeakMemory(tmp_path)
    assert first.needed(of("g2"), own_providers=True) == STACK_KIB
    first.record(of("g2"), 100 * MIB, own_providers=True)
    first.record(of("g2"), 90 * MIB, own_providers=True)
    first.record(of("g2"), 40 * MIB, own_providers=False)
    first.record(of("g1"), 0, own_providers=True)  # a system that does not tell
    # Terraform and two providers, each as large as the largest of them.
    assert first.needed(of("g2"), own_providers=True) == 300 * MIB
    first.save()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600

    later = PeakMemory(tmp_path)
    assert later.needed(of("g2"), own_providers=True) == 300 * MIB
    assert later.needed(of("g2"), own_providers=False) == 40 * MIB
    assert later.needed(of("g1"), own_providers=True) == STACK_KIB
    later.record(of("g2"), 10 * MIB, own_providers=True)
    later.save()
    # One small plan does not make the next run believe that all are small.
    assert PeakMemory(tmp_path).needed(of("g2"), own_providers=True) == 150 * MIB


@pytest.mark.parametrize("text", ["", "[]", "{", '{"own": "1", "shared": -5, "own x": true}', "[" * 100_000])
def test_a_damaged_file_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    memory = PeakMemory(tmp_path)
    assert memory.needed(frozenset(), own_providers=True) == STACK_KIB
    memory.record(frozenset(), MIB, own_providers=True)
    memory.save()
    assert PeakMemory(tmp_path).needed(frozenset(), own_providers=True) == MIB


def test_a_tenth_of_the_free_memory_stays_free() -> None:
    assert (usable_memory(None), usable_memory(1000)) == (None, 900)
