"""The tables of the dataset, and the documented views over them.

A table belongs to a layer: what is read together, and only when a query needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# In the file's name: another version is another file, and nothing is migrated.
VERSION = 1

Layer = Literal["code", "ledger", "runs", "journals", "states", "attributes", "drift", "approvals", "plans"]
# Those that are read from an environment's memory, in the order in which they are read.
MEMORY_LAYERS: tuple[Layer, ...] = (
    "ledger",
    "runs",
    "journals",
    "states",
    "attributes",
    "drift",
    "approvals",
    "plans",
)
# The layer, and those that it cannot be understood without.
NEEDS: Mapping[Layer, tuple[Layer, ...]] = {
    "code": ("code",),
    "ledger": ("code", "ledger"),
    "runs": ("code", "runs"),
    "journals": ("code", "runs", "journals"),
    "states": ("code", "ledger", "states"),
    "attributes": ("code", "ledger", "states", "attributes"),
    "drift": ("code", "drift"),
    "approvals": ("code", "approvals"),
    "plans": ("code", "plans"),
}

# Counts of a stack in a run, and the columns that hold them.
COUNT_COLUMNS: Mapping[str, str] = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "import": "imported",
    "move": "moved",
    "forget": "forgotten",
}
_COUNTS = ", ".join(f"{column} INTEGER NOT NULL" for column in COUNT_COLUMNS.values())

TABLES: Mapping[str, tuple[Layer, str]] = {
    "env": ("code", "name TEXT PRIMARY KEY, position INTEGER, protected INTEGER"),
    "folder": ("code", "environment TEXT, bucket TEXT, prefix TEXT, base TEXT"),
    "stack": (
        "code",
        "id TEXT PRIMARY KEY, environment TEXT, name TEXT, path TEXT, state TEXT, bucket TEXT, base TEXT, "
        "earlier TEXT, owners TEXT",
    ),
    "module": ("code", "stack TEXT, module TEXT, direct INTEGER"),
    "edge": ("code", "source TEXT, target TEXT, kind TEXT, name TEXT, outputs TEXT, file TEXT, line INTEGER"),
    "trunk": (
        "code",
        "id TEXT PRIMARY KEY, position INTEGER, subject TEXT, author TEXT, committed_at TEXT, "
        "pull_request INTEGER",
    ),
    "reading": (
        "ledger",
        "environment TEXT, layer TEXT, read_at TEXT, problem TEXT, PRIMARY KEY (environment, layer)",
    ),
    "entry": (
        "ledger",
        'environment TEXT, stack TEXT, generation TEXT, "commit" TEXT, author TEXT, subject TEXT, '
        "from_trunk INTEGER, applied_at TEXT, applied_run TEXT, result TEXT, run TEXT, at TEXT, "
        "attempted TEXT, serial INTEGER, unfinished INTEGER, running INTEGER, operation TEXT, "
        "break_glass TEXT, forgotten TEXT, rescued TEXT, problem TEXT, PRIMARY KEY (environment, stack)",
    ),
    "state_object": (
        "ledger",
        "environment TEXT, stack TEXT, generation TEXT, size INTEGER, written_at TEXT, "
        "PRIMARY KEY (environment, stack)",
    ),
    "month": ("runs", "environment TEXT, folder TEXT, month TEXT, PRIMARY KEY (environment, folder, month)"),
    "run": (
        "runs",
        "environment TEXT, record TEXT, id TEXT, object TEXT, generation TEXT, at TEXT, started TEXT, "
        'seconds REAL, command TEXT, "trigger" TEXT, "commit" TEXT, subject TEXT, person TEXT, '
        "pull_request INTEGER, link TEXT, break_glass TEXT, problem TEXT, "
        "PRIMARY KEY (environment, record)",
    ),
    "run_stack": (
        "runs",
        "environment TEXT, record TEXT, run TEXT, stack TEXT, result TEXT, reason TEXT, seconds REAL, "
        f"serial_before INTEGER, serial_after INTEGER, {_COUNTS}",
    ),
    "journal": ("journals", "environment TEXT, object TEXT PRIMARY KEY, run TEXT, stack TEXT"),
    "journal_line": (
        "journals",
        "environment TEXT, object TEXT, run TEXT, stack TEXT, address TEXT, type TEXT, action TEXT, "
        "outcome TEXT",
    ),
    "state": (
        "states",
        "environment TEXT, stack TEXT, generation TEXT, serial INTEGER, lineage TEXT, "
        "terraform_version TEXT, problem TEXT, has_attributes INTEGER, PRIMARY KEY (environment, stack)",
    ),
    "resource": (
        "states",
        "environment TEXT, stack TEXT, address TEXT, mode TEXT, module TEXT, type TEXT, name TEXT, "
        "provider TEXT, tainted INTEGER",
    ),
    "output": ("states", "environment TEXT, stack TEXT, name TEXT, sensitive INTEGER, hash TEXT"),
    "attribute": (
        "attributes",
        "environment TEXT, stack TEXT, address TEXT, path TEXT, hash TEXT, hidden INTEGER, value TEXT",
    ),
    "drift_record": (
        "drift",
        "environment TEXT, object TEXT PRIMARY KEY, generation TEXT, stack TEXT, result TEXT, severity TEXT, "
        "checked_at TEXT, tried_at TEXT, reason TEXT, remediation TEXT",
    ),
    "episode": (
        "drift",
        "environment TEXT, object TEXT, stack TEXT, began TEXT, ended TEXT, ending TEXT, ended_by TEXT, "
        "came_back INTEGER, resources INTEGER",
    ),
    "episode_resource": (
        "drift",
        "environment TEXT, object TEXT, stack TEXT, began TEXT, address TEXT, difference TEXT, "
        "drift_class TEXT, since TEXT",
    ),
    "attestation": (
        "approvals",
        "environment TEXT, object TEXT PRIMARY KEY, generation TEXT, pull_request INTEGER, head TEXT, "
        "run TEXT, posted_at TEXT, problem TEXT",
    ),
    "attested_plan": ("approvals", "environment TEXT, object TEXT, stack TEXT, sha256 TEXT"),
    "plan": (
        "plans",
        "environment TEXT, stack TEXT, pull_request INTEGER, head TEXT, posted_at TEXT, problem TEXT, "
        "PRIMARY KEY (environment, stack)",
    ),
    "plan_resource": (
        "plans",
        "environment TEXT, stack TEXT, address TEXT, previous_address TEXT, actions TEXT, attributes TEXT",
    ),
    "plan_attestation": ("plans", "environment TEXT, object TEXT PRIMARY KEY"),
}
# Looked up for each row of a view.
INDEXES: Mapping[str, str] = {
    "run_by_id": "run (id, environment)",
    "run_stack_by_record": "run_stack (environment, record)",
    "resource_by_stack": "resource (stack)",
    "attribute_by_address": "attribute (stack, address, path)",
    "output_by_stack": "output (stack)",
    "journal_line_by_object": "journal_line (object)",
    "journal_line_by_run": "journal_line (run, stack)",
    "episode_by_object": "episode (object)",
    "attested_plan_by_object": "attested_plan (object)",
    "plan_resource_by_stack": "plan_resource (environment, stack)",
}


@dataclass(frozen=True)
class View:
    """A documented view. `columns` maps names to what they hold; `select` gives them in that order.

    Words in braces in `select` stand for parts that several views have.
    """

    name: str
    text: str
    columns: Mapping[str, str]
    select: str


_RUN_COLUMNS = {
    "run": "The run's id.",
    "environment": "The environment.",
    "at": "When it started; by the bucket's clock where the clock of its machine was wrong.",
}
# What stands for parts that several views have; `{since}` is in the first one.
_PARTS: Mapping[str, str] = {
    "{runs}": "(SELECT * FROM run WHERE at >= '{since}')",
    "{stacks of runs}": "run_stack s ON s.environment = r.environment AND s.record = r.record",
}

VIEWS: tuple[View, ...] = (
    View(
        "environments",
        "The environments, and whether they could be read.",
        {
            "name": "The name.",
            "position": "Its number in the promotion order.",
            "protected": "1 where it is protected.",
            "visible": "1 where all that this query needs could be read, 0 where not.",
            "problem": "Why something could not be read.",
            "read_at": "When it was last read.",
            "stacks": "How many stacks the code has in it.",
        },
        "SELECT e.name, e.position, e.protected, "
        "(SELECT count(*) FROM reading r WHERE r.environment = e.name AND r.problem <> '') = 0, "
        "(SELECT max(r.problem) FROM reading r WHERE r.environment = e.name), "
        "(SELECT max(r.read_at) FROM reading r WHERE r.environment = e.name), "
        "(SELECT count(*) FROM stack s WHERE s.environment = e.name) FROM env e",
    ),
    View(
        "stacks",
        "The stacks of the code, and those that only a ledger still knows.",
        {
            "id": "ENV/NAME.",
            "environment": "The environment.",
            "name": "The name without the environment.",
            "path": "Its folder; NULL for a stack that the code no longer has.",
            "owners": "Its owners by CODEOWNERS, separated by spaces.",
            "status": "`applied`, `destroyed`, `failed`, `restored`, `modified`, `unfinished`, `running`, "
            "`new` (never applied), `deleted` (only the ledger knows it), `unreadable`, or `not visible`.",
            "commit": "The commit that was last applied whole.",
            "commits_behind": "Commits of trunk since then; NULL where that is not known.",
            "author": "Who wrote that commit.",
            "subject": "Its subject.",
            "applied_at": "When it was applied.",
            "applied_run": "By which run.",
            "result": "How the last run ended.",
            "run": "The last run.",
            "at": "When it ended.",
            "attempted": "The commit that it tried.",
            "operation": "What a run is doing to it now, or was when it was interrupted.",
            "break_glass": "Why rules were bypassed, until trunk is applied again.",
            "state_size": "Bytes of its state; NULL without one.",
            "state_serial": "The serial of its state as the last run left it.",
            "state_written_at": "When its state was written.",
            "problem": "Why its ledger entry cannot be read.",
        },
        "SELECT s.id, s.environment, s.name, s.path, s.owners, CASE "
        "WHEN EXISTS (SELECT 1 FROM reading r WHERE r.environment = s.environment AND r.layer = 'ledger' "
        "AND r.problem <> '') THEN 'not visible' "
        "WHEN e.stack IS NULL THEN 'new' WHEN e.problem <> '' THEN 'unreadable' "
        "WHEN e.running THEN 'running' WHEN e.unfinished THEN 'unfinished' "
        "WHEN s.path IS NULL THEN 'deleted' WHEN e.result IN ('unchanged', 'adopted') THEN 'applied' "
        "WHEN e.result = '' THEN 'new' "
        "ELSE e.result END, "
        "nullif(e.\"commit\", ''), "
        "(SELECT t.position FROM trunk t WHERE t.id = replace(e.\"commit\", '+uncommitted', '')), "
        "nullif(e.author, ''), nullif(e.subject, ''), nullif(e.applied_at, ''), nullif(e.applied_run, ''), "
        "nullif(e.result, ''), nullif(e.run, ''), nullif(e.at, ''), nullif(e.attempted, ''), "
        "nullif(e.operation, ''), e.break_glass, o.size, e.serial, o.written_at, nullif(e.problem, '') "
        "FROM (SELECT id, environment, name, path, owners FROM stack UNION ALL "
        "SELECT e.stack, e.environment, substr(e.stack, length(e.environment) + 2), NULL, NULL FROM entry e "
        "WHERE e.stack NOT IN (SELECT id FROM stack) AND e.result <> 'destroyed') s "
        "LEFT JOIN entry e ON e.environment = s.environment AND e.stack = s.id "
        "LEFT JOIN state_object o ON o.environment = s.environment AND o.stack = s.id",
    ),
    View(
        "owners",
        "The owners of stacks by CODEOWNERS, one a row.",
        {"stack": "ENV/NAME.", "owner": "`@user`, `@org/team` or an e-mail address."},
        "SELECT s.id, o.value FROM stack s, json_each('[\"' || replace(s.owners, ' ', '\",\"') || '\"]') o "
        "WHERE s.owners <> ''",
    ),
    View(
        "modules",
        "Which stacks use which modules of the repository.",
        {
            "stack": "ENV/NAME.",
            "module": "The module's folder.",
            "direct": "1 where the stack calls it itself, 0 where a module that it calls does.",
        },
        "SELECT stack, module, direct FROM module",
    ),
    View(
        "edges",
        "Which stacks come after which.",
        {
            "source": "The stack that comes first.",
            "target": "The stack that reads it, or depends on it.",
            "kind": "`remote_state` or `depends_on`.",
            "name": "The name of the remote state.",
            "outputs": "The outputs that are read, separated by spaces; NULL for all.",
            "file": "Where that is written.",
            "line": "In which line.",
        },
        "SELECT source, target, kind, name, outputs, file, line FROM edge",
    ),
    View(
        "runs",
        "The runs of the last 90 days (`--since`), one row for each environment that a run went through.",
        {
            **_RUN_COLUMNS,
            "command": "What it did: `apply`, `destroy`, `resume`, `adopt`, `restore`, `run`, `forget`.",
            "trigger": "`ci` or `local`.",
            "result": "`failed`, `interrupted` or `ok`; NULL for a record that cannot be read.",
            "commit": "The commit.",
            "subject": "Its subject.",
            "person": "Who started it.",
            "pull_request": "The number of its pull request, also where only the subject names it.",
            "seconds": "How long it took.",
            "stacks": "How many stacks it went through.",
            "changes": "How many resources it changed.",
            "break_glass": "Why it bypassed rules.",
            "link": "The address of its job.",
            "problem": "Why its record cannot be read.",
        },
        'SELECT r.id, r.environment, r.at, r.command, r."trigger", '
        "CASE WHEN r.problem <> '' THEN NULL WHEN sum(s.result = 'interrupted') THEN 'interrupted' "
        "WHEN sum(s.result = 'failed') THEN 'failed' ELSE 'ok' END, "
        'r."commit", r.subject, r.person, r.pull_request, r.seconds, '
        "count(s.stack), "
        "coalesce(sum(s.created + s.updated + s.replaced + s.deleted + s.imported + s.moved "
        "+ s.forgotten), 0), "
        "r.break_glass, nullif(r.link, ''), nullif(r.problem, '') "
        "FROM {runs} r LEFT JOIN {stacks of runs} "
        "GROUP BY r.environment, r.id",
    ),
    View(
        "deployments",
        "The stacks of these runs, one row for each stack in a run.",
        {
            **_RUN_COLUMNS,
            "stack": "ENV/NAME.",
            "result": "How it ended: `applied`, `unchanged`, `failed`, `interrupted`, `destroyed`, others.",
            "reason": "Why.",
            "seconds": "How long it took.",
            **{column: f"Resources that were {column}." for column in COUNT_COLUMNS.values()},
            "serial_before": "The state's serial before it.",
            "serial_after": "The state's serial after it.",
            "commit": "The run's commit.",
            "subject": "Its subject.",
            "person": "Who started the run.",
            "pull_request": "The number of the run's pull request.",
            "trigger": "`ci` or `local`.",
            "break_glass": "Why rules were bypassed.",
            "run_seconds": "How long the whole run took in the environment.",
        },
        "SELECT r.id, r.environment, r.at, s.stack, s.result, nullif(s.reason, ''), s.seconds, "
        "s.created, s.updated, s.replaced, s.deleted, s.imported, s.moved, s.forgotten, "
        "s.serial_before, s.serial_after, "
        'r."commit", r.subject, r.person, r.pull_request, r."trigger", '
        "r.break_glass, r.seconds "
        "FROM {runs} r JOIN {stacks of runs}",
    ),
    View(
        "changes",
        "The resources that these runs changed, as the journals of CI jobs have them.",
        {
            **_RUN_COLUMNS,
            "stack": "ENV/NAME.",
            "address": "The resource's address.",
            "type": "Its type.",
            "action": "`create`, `update` or `delete`; a replacement is two of them.",
            "outcome": "`done`, `failed`, or `unknown` where the journal ends before.",
            "commit": "The run's commit.",
            "person": "Who started the run.",
            "pull_request": "The number of the run's pull request.",
        },
        "SELECT r.id, r.environment, r.at, j.stack, j.address, j.type, j.action, CASE "
        "max(CASE j.outcome WHEN 'failed' THEN 2 WHEN 'done' THEN 1 ELSE 0 END) "
        "WHEN 2 THEN 'failed' WHEN 1 THEN 'done' ELSE 'unknown' END, "
        'r."commit", r.person, r.pull_request '
        "FROM {runs} r JOIN journal_line j ON j.run = r.id AND j.environment = r.environment "
        "GROUP BY r.environment, r.id, j.stack, j.address, j.action",
    ),
    View(
        "states",
        "The states that were read.",
        {
            "stack": "ENV/NAME.",
            "environment": "The environment.",
            "serial": "The serial.",
            "lineage": "The lineage.",
            "terraform_version": "The Terraform that wrote it.",
            "resources": "How many resources it has, data sources left out.",
            "problem": "Why it cannot be read.",
        },
        "SELECT s.stack, s.environment, s.serial, s.lineage, s.terraform_version, "
        "(SELECT count(*) FROM resource r WHERE r.stack = s.stack AND r.mode = 'managed'), "
        "nullif(s.problem, '') FROM state s",
    ),
    View(
        "resources",
        "The resources in the states.",
        {
            "stack": "ENV/NAME.",
            "environment": "The environment.",
            "address": "The address.",
            "mode": "`managed` or `data`.",
            "module": "The address of its module; empty in the root.",
            "type": "The type.",
            "name": "The name.",
            "provider": "The source of its provider.",
            "tainted": "1 where the next apply replaces it.",
        },
        "SELECT stack, environment, address, mode, module, type, name, provider, tainted FROM resource",
    ),
    View(
        "attributes",
        "The attributes of these resources, without their values.",
        {
            "stack": "ENV/NAME.",
            "environment": "The environment.",
            "address": "The resource's address.",
            "path": "The attribute: `name`, `labels.team`.",
            "hash": "Equal for equal values, in this dataset only; NULL where the value is hidden.",
            "hidden": "1 where masking hides the value.",
            "value": "The value as JSON, where `insight.values` names it; else NULL.",
        },
        "SELECT stack, environment, address, path, hash, hidden, value FROM attribute",
    ),
    View(
        "outputs",
        "The outputs in the states, without their values.",
        {
            "stack": "ENV/NAME.",
            "environment": "The environment.",
            "name": "The name.",
            "sensitive": "1 where it is sensitive.",
            "hash": "Equal for equal values, in this dataset only; NULL where the value is hidden.",
        },
        "SELECT stack, environment, name, sensitive, hash FROM output",
    ),
    View(
        "drift",
        "What scheduled checks found: one row for each time in which a stack drifted, and one for a "
        "stack that never did.",
        {
            "stack": "ENV/NAME.",
            "environment": "The environment.",
            "result": "The last check: `clean` or `drifted`.",
            "severity": "How severe the drift is.",
            "checked_at": "When it was last checked.",
            "reason": "Why a check since then was not possible.",
            "began": "When the drift began.",
            "ended": "When it ended; NULL while it lasts.",
            "ending": "What ended it.",
            "came_back": "How often one of the same resources had drifted before.",
            "resources": "How many resources drifted.",
        },
        "SELECT d.stack, d.environment, nullif(d.result, ''), nullif(d.severity, ''), "
        "nullif(d.checked_at, ''), nullif(d.reason, ''), e.began, nullif(e.ended, ''), nullif(e.ending, ''), "
        "e.came_back, e.resources "
        "FROM drift_record d LEFT JOIN episode e ON e.object = d.object",
    ),
    View(
        "drift_resources",
        "The resources that drifted, one row for each in each of these times.",
        {
            "stack": "ENV/NAME.",
            "environment": "The environment.",
            "began": "When the drift of the stack began.",
            "address": "The resource's address.",
            "difference": "What happened to it.",
            "drift_class": "The class of its drift.",
            "since": "When it was first seen.",
        },
        "SELECT stack, environment, began, address, difference, drift_class, nullif(since, '') "
        "FROM episode_resource",
    ),
    View(
        "approvals",
        "The plans that were shown on pull requests, as attested: what an approval can refer to.",
        {
            "environment": "The environment.",
            "pull_request": "The pull request's number.",
            "head": "The commit that was planned.",
            "stack": "ENV/NAME; NULL where nothing of the run counts.",
            "run": "The run that attested it.",
            "posted_at": "When it was attested.",
            "sha256": "The SHA-256 of the plan object.",
            "problem": "Why nothing of the run counts.",
        },
        "SELECT a.environment, a.pull_request, a.head, p.stack, a.run, a.posted_at, p.sha256, "
        "nullif(a.problem, '') FROM attestation a LEFT JOIN attested_plan p ON p.object = a.object",
    ),
    View(
        "plans",
        "The last plan of each stack that a pull request showed, one row for each resource that it changes.",
        {
            "stack": "ENV/NAME.",
            "environment": "The environment.",
            "pull_request": "The pull request's number.",
            "head": "The commit that was planned.",
            "posted_at": "When it was attested.",
            "address": "The resource's address, or `output.NAME`; NULL for a plan without changes.",
            "previous_address": "Where it is moved from.",
            "actions": "What the plan does to it: `create`, `update`, `delete create`, others.",
            "attributes": "What changes in it, a JSON list: `path`, `note` (`known after apply`, "
            "`sensitive`), and `before` and `after` where `insight.values` names it.",
            "problem": "Why the plan cannot be shown.",
        },
        "SELECT p.stack, p.environment, p.pull_request, p.head, p.posted_at, r.address, "
        "nullif(r.previous_address, ''), r.actions, r.attributes, nullif(p.problem, '') "
        "FROM plan p LEFT JOIN plan_resource r ON r.environment = p.environment AND r.stack = p.stack",
    ),
    View(
        "commits",
        "The commits of trunk in that time, as this clone has them.",
        {
            "id": "The commit.",
            "position": "How many commits of trunk came after it.",
            "subject": "Its subject.",
            "author": "Its author.",
            "committed_at": "When it was committed.",
            "pull_request": "The number of the pull request that the subject names.",
        },
        "SELECT id, position, subject, author, committed_at, pull_request FROM trunk",
    ),
)


def view_sql(view: View, since: str) -> str:
    """The statement that creates a view; runs since a moment (RFC 3339) are in it."""
    columns = ", ".join(f'"{name}"' for name in view.columns)
    select = view.select
    for word, part in (*_PARTS.items(), ("{since}", since)):
        select = select.replace(word, part)
    return f"CREATE TEMP VIEW {view.name} ({columns}) AS {select}"
