"""Inputs that nobody meant to write, for everything here that reads what comes from outside.

`targets()` are readers, each with documents that it understands. `inputs(target, seed)` makes variants of
these documents: other types, missing and foreign keys, deep nesting, half characters, torn bytes. A reader
may refuse one with an InfraError; anything else that it raises is a defect.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.config import load_text
from orchestrator.config.globs import matches
from orchestrator.drift.classify import classify
from orchestrator.drift.model import DriftFacts
from orchestrator.engine.orphans import instances
from orchestrator.engine.saved_plans import read_saved_plans
from orchestrator.errors import InfraError
from orchestrator.forge.event import KINDS
from orchestrator.forge.github.event import read_event
from orchestrator.guard.code_facts import code_facts, template_reads
from orchestrator.guard.git_files import read_attributes, read_submodules
from orchestrator.guard.lock_files import read_lock as read_lock_file
from orchestrator.masking import Masker, SecretSet
from orchestrator.plan.digest import Digest
from orchestrator.plan.digest import decode as decode_digest
from orchestrator.plan.digest import encode as encode_digest
from orchestrator.plan.digest_comparison import DigestDifference, compare
from orchestrator.plan.digest_maker import make_digest
from orchestrator.plan.policy import size_of_digest
from orchestrator.plan.reader import read_plan
from orchestrator.process import read_pid_file
from orchestrator.report.plan_comment import render_comment
from orchestrator.report.review import hash_of_review
from orchestrator.report.rollout_comment import render_rollout_comment, render_status
from orchestrator.repository import codeowners
from orchestrator.repository.facts import module_facts, template_uses
from orchestrator.repository.hcl import read as read_code
from orchestrator.repository.modules import merge_files
from orchestrator.review.chat import find_chat_comment, parse_command
from orchestrator.review.decisions import list_destroyed
from orchestrator.review.plan_reports import PlanReport, read_reports, write_report
from orchestrator.review.pull_request import report_validation
from orchestrator.review.rollout.results import read_results, write_result
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.drift_store import DriftedResourceRecord, DriftLog, DriftRecord, Episode
from orchestrator.state.ledger import Ledger
from orchestrator.state.location import Location
from orchestrator.state.locks import read_lock
from orchestrator.state.promotion_store import CheckResult, PromotionStore, Skip
from orchestrator.state.records import (
    LedgerEntry,
    Operation,
    RunRecord,
    StackRecord,
    decode_entry,
    decode_run,
    encode_entry,
    encode_run,
)
from orchestrator.state.statefile import addresses_of, read_state
from orchestrator.terraform.diagnostics import diagnostics_from_text, lock_holder
from orchestrator.terraform.journal import event_text, read_journal
from orchestrator.terraform.testing import event_text as test_text
from orchestrator.terraform.testing import read_testing
from orchestrator.terraform.version import ConstraintError, constraint_of_version_file, satisfies
from tests.support import environment_results, reviews
from tests.support.github_answers import SEEDS as ANSWERS
from tests.support.github_answers import ScriptedClient
from tests.support.memory_folder import SHARED_MEMORY
from tests.support.memory_storage import MemoryStorage

PLANS = Path(__file__).parents[1] / "data" / "plans"
MASKER = Masker()
# Larger plans have nothing that small ones lack.
LARGEST_PLAN = 6_000
# What may stand where something else is expected.
JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, float("inf"), float("nan"), "", "x", "null", "\x00", "é", "😀"),
    *("\ud800", "a\udfffb", "\u202e", "../..", "2026-01-02T03:04:05Z", "0001-01-01T00:00:00", "${x}", '"'),
    *([], {}, [[]], [None], {"": None}, {"x": {"y": []}}, ["x", 1], {"version": 2}, "A" * 300),
)
BYTES = (
    *(b"", b"\x00", b"\xff", b"{", b"}", b"[", b"]", b'"', b"\\", b"\\ud800"),
    *(b"\n", b",", b":", b"#", b"*", b"/"),
)


@dataclass(frozen=True)
class Target:
    """A reader and documents that it understands; `share` is its part of all inputs."""

    name: str
    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    share: int = 1


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """Variants of a target's documents without end, the same for the same seed."""
    chance = random.Random(f"{target.name} {seed}")
    documents = [_parsed(seed) for seed in target.seeds]
    for number in itertools.count():
        at = number % len(target.seeds)
        document = documents[at]
        if document is not None and chance.random() < 0.7:
            yield _written(_changed(document, chance, chance.choice((1, 1, 1, 2, 4))), chance)
        else:
            yield _torn(target.seeds[at], chance)


def defect_in(target: Target, data: bytes) -> str:
    """What a reader raised that it may not raise; empty when it behaved."""
    try:
        target.read(data)
    except InfraError as error:
        return "" if error.message else "an error without words"
    except Exception as error:
        return f"{target.name}: {type(error).__name__}: {error} for {data[:2000]!r}"
    return ""


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _written(value: Any, chance: random.Random) -> bytes:
    text = json.dumps(value, ensure_ascii=chance.random() < 0.8)
    return text.encode("utf-8", "surrogatepass")


def _changed(value: Any, chance: random.Random, times: int) -> Any:
    """A copy of a JSON value in which something else stands in some places."""
    for _ in range(times):
        path = _path(value, chance)
        value = _put(value, path, _replacement(_at(value, path), chance))
    return value


def _path(value: Any, chance: random.Random) -> list[Any]:
    path: list[Any] = []
    while isinstance(value, dict | list) and value and chance.random() < 0.85:
        key = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
        path.append(key)
        value = value[key]
    return path


def _at(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        value = value[key]
    return value


def _put(value: Any, path: Sequence[Any], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _put(value[path[0]], path[1:], new)
    return copy


def _replacement(value: Any, chance: random.Random) -> Any:
    kind = chance.random()
    if isinstance(value, dict) and value and kind < 0.5:
        rest = dict(value)
        key = chance.choice(list(rest))
        below = rest.pop(key)
        if kind < 0.2:
            rest[str(chance.choice(JUNK))] = below
        return rest
    if isinstance(value, list) and value and kind < 0.5:
        return chance.choice((value * 2, value[1:], [*value, chance.choice(JUNK)]))
    if kind > 0.99:
        return _deep(chance.choice((50, 200, 900)), chance)
    return chance.choice(JUNK)


def _deep(depth: int, chance: random.Random) -> Any:
    value: Any = None
    for _ in range(depth):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return value


def _torn(data: bytes, chance: random.Random) -> bytes:
    """Some bytes of a document cut out, doubled, overwritten or put in."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 2, 8, 40, 400)))
        junk = str(chance.choice(JUNK)).encode("utf-8", "surrogatepass")
        doubled = data[start:end] * 2
        middle = chance.choice((b"", doubled, chance.choice(BYTES), chance.randbytes(3), junk))
        data = data[:start] + middle + data[end:]
    if chance.random() < 0.002:
        data = chance.choice((b"[", b'{"a":', b"(", b"- ")) * 20_000
    return data[:200_000]


# The readers.


def _read_plan(data: bytes) -> None:
    plan = read_plan(data, MASKER)
    make_digest(json.loads(data), plan, stack="dev/a", lineage="l", lock_file="", key=b"k")
    classify(plan, json.loads(data), DriftFacts())


def _read_digest(data: bytes, approved: Digest) -> None:
    """A plan object that its account wrote: as what was approved, and as what is about to be applied."""
    digest = decode_digest(data)
    encode_digest(digest)
    size_of_digest(digest)
    sorted(list_destroyed(digest))
    for strictness in ("strict", "upstream", "actions"):
        compare([digest, approved], approved, approval=strictness)
        compare(approved, digest, approval=strictness)


def _read_attestation(data: bytes) -> None:
    storage = MemoryStorage()
    storage.write(f"dev/attestations/7/{'a' * 40}/8-1.json", data)
    Attestations(storage, "dev").of_head(7, "a" * 40)


def _read_promotion(data: bytes) -> None:
    storage = MemoryStorage()
    storage.write(f"dev/promotion/{'a' * 40}.json", data)
    PromotionStore(storage, "dev", "dev").records()


def _read_state(data: bytes) -> None:
    addresses_of(data)
    read_state(data, "the state")
    instances(data)


def _read_ledger(data: bytes) -> None:
    storage = MemoryStorage()
    text = data.decode("utf-8", "replace")
    storage.write("dev/ledger/stacks/a.json", data, metadata={"entry": text})
    storage.write("dev/drift/stacks/a.json", data, metadata={"drift": text})
    storage.write("dev/state/a/default.tflock", data)
    Ledger(storage, "dev").entries()
    DriftLog(storage, "dev").records(whole=True)
    read_lock(storage, Location("b", "dev/state/a/default.tfstate"))
    decode_entry(data, "the entry")


def _read_run(data: bytes) -> None:
    decode_run(data, "the run")


def _read_lines(data: bytes) -> None:
    lines = data.splitlines()
    read_journal(lines)
    read_testing(lines)
    for line in lines:
        event_text(line)
        test_text(line)


def _read_output(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    diagnostics_from_text(text)
    lock_holder(text)
    MASKER.mask_text(text, SecretSet.of(["hunter2-x"]))
    if text.startswith("/infra"):
        parse_command(text)


def _read_names(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    owners = codeowners.parse(text)
    for path in ("infra.yaml", "infra/envs/dev/a/main.tf"):
        owners.of(path)
        matches(path, text.splitlines()[:5])
    read_attributes(data, "infra/.gitattributes")


def _read_code(data: bytes) -> None:
    for name in ("main.tf", "main.tf.json", "terraform.tfvars"):
        file = read_code(name, data)
        assert file.problem is None or file.problem[1]
        list(file.strings())
        for block in file.blocks:
            list(block.attributes.values())
        code_facts(file)
        module_facts(merge_files([file, read_code(f"override{name[name.index('.') :]}", data)]))
    template_reads(data)
    template_uses(data)
    read_lock_file(data)
    read_submodules(data)


def _read_constraint(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with suppress(ConstraintError):
        satisfies("1.11.4", text)
    with suppress(ConstraintError):
        constraint_of_version_file(text)


class _Files:
    """Readers of files, each in a folder that lives as long as this process."""

    def __init__(self) -> None:
        # In memory where that can be: each input may be a file.
        self._folder = TemporaryDirectory(
            prefix="fuzz-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        )
        self.root = Path(self._folder.name)

    def report(self, data: bytes) -> None:
        (self.root / "reports").mkdir(exist_ok=True)
        (self.root / "reports" / "plan-dev-1.json").write_bytes(data)
        for report in read_reports([self.root / "reports"]).reports:
            for stack in report.review.stacks:
                hash_of_review(stack)
            # Of another job's report only what has the right form is shown.
            if all(map(report_validation._fits, report.review.stacks)):
                render_comment(report.review).encode()

    def result(self, data: bytes) -> None:
        (self.root / "results").mkdir(exist_ok=True)
        (self.root / "results" / "apply-prod.json").write_bytes(data)
        for result in read_results([self.root / "results"]):
            render_rollout_comment(result).encode()
            render_status(result)

    def saved_plans(self, data: bytes) -> None:
        (self.root / "kept").mkdir(exist_ok=True)
        (self.root / "kept" / "manifest.json").write_bytes(data)
        read_saved_plans(self.root / "kept")

    def pid(self, data: bytes) -> None:
        (self.root / "pid.json").write_bytes(data)
        read_pid_file(self.root / "pid.json")

    def event(self, data: bytes) -> None:
        path = self.root / "event.json"
        path.write_bytes(data)
        kind = KINDS[len(data) % len(KINDS)]
        environ = {"GITHUB_EVENT_NAME": kind, "GITHUB_EVENT_PATH": str(path)}
        read_event(environ)
        find_chat_comment(read_event({**environ, "GITHUB_EVENT_NAME": "issue_comment"}))


def targets() -> tuple[Target, ...]:
    """Every reader with its documents."""
    files = _Files()
    plans = tuple(
        path.read_bytes() for path in sorted(PLANS.rglob("plan.json")) if path.stat().st_size < LARGEST_PLAN
    )
    operation = Operation("R1", "apply", "applying", "ada", "desk", "c", "h", 7, "x", "2026-01-02T03:04:05Z")
    entry = LedgerEntry(
        "dev/a", "c", "f", {"dev/b": "h"}, {"dev/b": "1"}, "Ada", "Subject", operation=operation
    )
    stacks = {"dev/a": StackRecord("applied", {"create": 1})}
    run = RunRecord("R1", "apply", "ci", "c", "ada", "2026-01-02T03:04:05Z", 1.0, stacks)
    drifted_resource_record = DriftedResourceRecord("a.b", "update", "noise", ("x",))
    drift = DriftRecord("dev/a", "2026-01-02T03:04:05Z", now=_episode(drifted_resource_record))
    first = read_plan(plans[0], MASKER)
    digest = make_digest(json.loads(plans[0]), first, stack="dev/a", lineage="l", lock_file="", key=b"k")
    return (
        Target("plan", _read_plan, plans, 2),
        Target("digest", lambda data: _read_digest(data, digest), (encode_digest(digest),), 4),
        Target("attestation", _read_attestation, (_attestation(),), 4),
        Target("promotion", _read_promotion, (_promotion(),), 4),
        Target("result", files.result, (_result(files.root),), 2),
        Target("state", _read_state, (STATE,), 4),
        Target("ledger", _read_ledger, (encode_entry(entry), _drift_document(drift)), 2),
        Target("run", _read_run, (encode_run(run),), 6),
        Target("journal", _read_lines, JOURNAL, 10),
        Target("output", _read_output, OUTPUT, 3),
        Target("owners", _read_names, OWNERS, 3),
        Target("constraint", _read_constraint, (b">= 1.11, < 2.0", b"~> 1.11.4-beta1", b"1.2.3"), 4),
        Target("config", lambda data: load_text(data), CONFIGS),
        Target("report", files.report, (_report(files.root),)),
        Target("kept", files.saved_plans, (KEPT,), 3),
        Target("pid", files.pid, (b'{"pid": 1, "started": "x", "argv0": "y"}',), 4),
        Target("event", files.event, EVENTS, 3),
        Target("code", _read_code, CODE),
        Target("github", ScriptedClient().read, ANSWERS),
    )


def _episode(resource: DriftedResourceRecord) -> Episode:
    return Episode("2026-01-02T03:04:05Z", resources=(resource,))


def _drift_document(record: DriftRecord) -> bytes:
    return json.dumps({"version": 1, **asdict(replace(record, generation=""))}).encode()


def _attestation() -> bytes:
    storage = MemoryStorage()
    Attestations(storage, "dev").create(Attestation(7, "a" * 40, "8-1", "8-1", {"dev/a": "b" * 64}))
    return next(storage.read(blob.name).data for blob in storage.list(""))  # type: ignore[union-attr]


def _promotion() -> bytes:
    storage = MemoryStorage()
    checks = {"smoke": CheckResult("passed", "2026-01-02T03:04:05Z", "R1", "ok")}
    skipped = Skip("ada", "It is down.", "2026-01-02T03:04:05Z", "R1")
    PromotionStore(storage, "dev", "dev").update(
        "a" * 40, lambda record: replace(record, checks=checks, skipped=skipped)
    )
    return next(storage.read(blob.name).data for blob in storage.list(""))  # type: ignore[union-attr]


def _result(folder: Path) -> bytes:
    """What an apply job leaves for the job that writes on the forge."""
    difference = DigestDifference("a.b", "x", "1", "2", "it is another value")
    stacks = [
        environment_results.make_stack("prod/net", "applied"),
        environment_results.make_stack("prod/app", "mismatch", difference),
    ]
    result = environment_results.make_result("mismatch", *stacks, superseded=("prod/x",), reason="why")
    return write_result(folder / "seed", result).read_bytes()


def _report(folder: Path) -> bytes:
    """A report as a plan job writes it."""
    review = reviews.review(reviews.database("prod/net"))
    path = write_report(folder / "seed", PlanReport(("dev",), "1/2", "", ("dev/a",), review))
    return path.read_bytes()


STATE = json.dumps(
    {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 3,
        "lineage": "l",
        "outputs": {"o": {"value": "v", "type": "string", "sensitive": True}},
        "resources": [
            {
                "mode": "managed",
                "module": "module.m",
                "type": "google_x",
                "name": "y",
                "instances": [
                    {
                        "index_key": "k",
                        "attributes": {"id": "i", "password": "hunter2", "list": [{"a": 1}]},
                        "sensitive_attributes": [[{"type": "get_attr", "value": "password"}]],
                    }
                ],
            }
        ],
    }
).encode()
JOURNAL = tuple(
    json.dumps(line).encode()
    for line in (
        {"type": "apply_start", "hook": {"resource": {"addr": "a.b"}, "action": "create"}},
        {
            "type": "apply_complete",
            "hook": {"resource": {"addr": "a.b"}, "action": "create", "id_key": "id", "id_value": "7"},
        },
        {"type": "apply_errored", "hook": {"resource": {"addr": "a.b"}}},
        {
            "type": "diagnostic",
            "diagnostic": {
                "severity": "error",
                "summary": "s",
                "detail": "d",
                "address": "a.b",
                "range": {"filename": "main.tf", "start": {"line": 3}},
                "snippet": {"code": "x", "values": [{"traversal": "var.x", "statement": 'is "y"'}]},
            },
        },
        {"type": "change_summary", "changes": {"add": 1, "operation": "apply"}},
        {"type": "outputs", "outputs": {"o": {"value": 1, "type": "number", "sensitive": False}}},
        {
            "type": "test_run",
            "@timestamp": "2026-01-02T03:04:05.678Z",
            "test_run": {"path": "a.tftest.hcl", "run": "r", "progress": "complete", "status": "pass"},
        },
        {"type": "test_cleanup", "test_cleanup": {"failed_resources": [{"instance": "a.b"}]}},
        {"type": "test_interrupt", "test_interrupt": {"state": [{"instance": "a.b"}], "planned": ["c.d"]}},
    )
)
_OUTPUT = (
    '╷\n│ Error: Invalid value\n│ \n│   with a.b["k"],\n│   on main.tf line 3, in resource "a" "b":\n'
    '│    3:   password = "hunter2-x"\n│     ├────\n│     │ var.token is "abc"\n│ \n│ No.\n╵\n',
    "Error: Error acquiring the state lock\n\nLock Info:\n  ID:        1\n  Path:      gs://b/x\n"
    "  Who:       ada@h\n",
    '  ~ env {\n      + name  = "DB_PASSWORD"\n      + value = "x"\n    }\n'
    "  + k = <<-EOT\n        a\n    EOT\n",
    '/infra apply prod --skip-checks "a reason"\n',
)
OUTPUT = tuple(text.encode() for text in _OUTPUT)
OWNERS = (
    b"* @acme/all\n/infra/**/prod/ @acme/prod ada@example.com\n*.tf @a\ndocs/* @b # remark\n",
    b">= 1.11\n# comment\n",
    b'*.tf filter=lfs -ident\n[attr]x working-tree-encoding=UTF-16\n"a b" x\n',
    b'prod/*\nmodule.*["a"].b*\n??\n',
)
CONFIGS = (
    b"version: 1\ntrunk: main\nbackend:\n  gcs: {bucket: b, prefix: '{environment}/state/{stack}'}\n"
    b"environments:\n  dev: {}\n  prod: {protected: true, timeouts: {plan: 20m}}\n"
    b"stacks: {prod/a: {depends_on: [prod/b], reads: [infra/files]}}\n"
    b"policy: {destroy: {dev: allow}}\nguard: {allow: [{rule: x, path: y, reason: z}]}\n"
    b"drift: {ignore: []}\nmasking: {patterns: ['A-[0-9]+']}\n",
    b'{"version": 1, "terraform": {"version": ">= 1.11", "credentials": ["app.terraform.io"]}}',
    b"a: &x [1, 2]\nb: *x\nc: !!binary aGk=\n? [k]\n: v\n--- {}\n",
)
KEPT = json.dumps(
    {
        "version": 1,
        "commit": "c",
        "terraform": "1.11.4",
        "stacks": {
            "dev/a": {
                "fingerprint": "f",
                "sha256": "s",
                "generation": None,
                "upstreams": {"dev/b": "1"},
                "shadow": False,
                "destroy": False,
            }
        },
    }
).encode()
_PULL = {
    "title": "t",
    "number": 7,
    "user": {"login": "ada"},
    "labels": [{"name": "allow-destroy"}],
    "head": {"sha": "a" * 40, "ref": "x", "repo": {"full_name": "acme/infra"}},
    "base": {"sha": "b" * 40, "ref": "main", "repo": {"full_name": "acme/infra"}},
}
EVENTS = tuple(
    json.dumps(event).encode()
    for event in (
        {"action": "opened", "pull_request": _PULL},
        {
            "action": "created",
            "issue": {"number": 7, "pull_request": {}},
            "comment": {"id": 9, "body": "/infra plan", "user": {"login": "ada", "type": "User"}},
        },
        {
            "merge_group": {
                "head_sha": "a" * 40,
                "base_sha": "b" * 40,
                "head_ref": "refs/heads/gh-readonly-queue/main/pr-7-" + "c" * 40,
            }
        },
        {"inputs": {"stack": "dev/a", "pull_request": "7"}},
    )
)
CODE = (
    b'provider "registry.terraform.io/hashicorp/google" {\n  version = "7.0.0"\n  hashes  = ["h1:a"]\n}\n'
    b'data "terraform_remote_state" "n" {\n  backend = "gcs"\n  config = { bucket = "b" }\n}\n'
    b'locals {\n  t = templatefile("${path.module}/x.tftpl", {})\n'
    b'  u = [for f in fileset("d", "*") : file(f)]\n}\n',
    b'[submodule "x"]\n\tpath = x\n\turl = https://example.com/x\n',
    b'terraform {\n  backend "gcs" {}\n}\nmodule "m" {\n  source = "../m"\n  x = { a = [1, "${var.y}"] }\n}\n'
    b'resource "a" "b" {\n  dynamic "c" {\n    for_each = var.z\n    content {\n'
    b"      d = <<-EOT\n        e\n      EOT\n    }\n  }\n}\n",
    b'{"terraform": {"backend": {"gcs": {}}}, "module": {"m": {"source": "./m", "x": "${var.y}"}}, '
    b'"variable": {"y": [{"default": {"a": 1}}]}}',
)
