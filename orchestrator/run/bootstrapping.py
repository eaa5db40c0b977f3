"""`infra bootstrap`: from nothing to a state bucket that holds its own state, safe to run again at any step.

Where the work stands is never remembered, always looked up: is there a bucket, is there a state in it, is
there one on this disk. So a run goes on where an earlier one stopped, whatever stopped it.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.config import GcsBackend, StackSettings
from orchestrator.engine.folders import private
from orchestrator.engine.ledgers import folders_in
from orchestrator.engine.planned import Planned
from orchestrator.engine.planner import read_outcome
from orchestrator.engine.ports import Consent
from orchestrator.engine.session import Session
from orchestrator.errors import ConfigError, InterruptedRunError, StateError, UsageError
from orchestrator.project.discovery import Root, stack_of_root
from orchestrator.project.model import Project, Stack
from orchestrator.report.model import StackReport
from orchestrator.run.carrying import failed_report
from orchestrator.state.approved import digest_key
from orchestrator.state.bucket import BucketSettings, look_at
from orchestrator.state.location import Location
from orchestrator.state.statefile import read_state
from orchestrator.terraform.client import PlanOptions, Workdir
from orchestrator.terraform.shadow import make_shadow

NAME = "bootstrap"
STATE_FILE = "terraform.tfstate"
BUCKET_TYPE = "google_storage_bucket"


def default_root(project: Project) -> str:
    """Where the bootstrap lies when nobody says otherwise: beside the modules."""
    return posixpath.join(posixpath.dirname(str(project.config.roots.modules)), NAME)


def bootstrap_root(project: Project, folder: str | None = None) -> str:
    """The folder of the bootstrap: as given, else the default one; UsageError without code in it."""
    path = folder or default_root(project)
    if not project.coverage.source.code(path):
        raise UsageError(
            f"There is no Terraform code in {path}.",
            advice="Without a folder, `infra bootstrap` writes the code where there is none.",
        )
    return path


def bootstrap_stack(project: Project, path: str) -> Stack:
    """The bootstrap as a stack of its own, whose state lies in the bucket below bootstrap/."""
    source = project.coverage.source
    _, stack = stack_of_root(project.config, source, Root(NAME, "", path, StackSettings()), project.root)
    backend = project.config.backend
    if not isinstance(backend, GcsBackend) or "{" in backend.bucket:
        raise ConfigError(
            "a bootstrap makes one bucket, and the configuration names none",
            file="infra.yaml",
            key="backend.gcs.bucket",
            advice="Write `backend: {gcs: {bucket: NAME}}`, without placeholders in the name.",
        )
    if stack.backend.kind != "gcs" or not stack.backend.empty:
        raise UsageError(
            f"{path} must declare an empty gcs backend.",
            advice='Write `terraform { backend "gcs" {} }`: its state ends in the bucket that it makes.',
        )
    return stack


@dataclass
class Bootstrapping:
    """One `infra bootstrap`. `say` is told each step; `adopt` takes over a bucket that is there already."""

    session: Session
    stack: Stack
    consent: Consent
    say: Callable[[str], None]
    adopt: bool = False
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> StackReport:
        """Apply, move the state into the bucket, and look that nothing is left to do."""
        bucket = self._look()
        moved = isinstance(bucket, BucketSettings) and self._remote_serial() is not None
        if moved:
            self._settle_copies()
            report = self._apply(self.session.terraform.workdir(self.stack), "in the bucket")
        else:
            self._check_ours(bucket)
            report = self._apply(self._local_workdir(), "on this disk, since there is no bucket yet")
            if report.result == "failed":
                return report
            self._move()
        if report.result != "failed":
            self.outputs = self._read_outputs()
            self._make_keys()
        return report

    @property
    def bucket_name(self) -> str:
        """The bucket's name."""
        return self._location.bucket

    @property
    def _location(self) -> Location:
        return Location.parse(self.stack.state or "")

    @property
    def _local_state(self) -> Path:
        return self.session.context.folders.base / NAME / STATE_FILE

    # Looking

    def _look(self) -> BucketSettings | None:
        """The bucket's settings, None when there is none yet; StateError when it is somebody else's."""
        found = look_at(self.session.memory.states.bucket(self._location))
        if found == "refused":
            raise StateError(
                f"gs://{self.bucket_name} exists, and you may not look at it: it belongs to somebody else, "
                "or you are not one of its admins.",
                advice="Names are unique in all of Google Cloud: choose another one in infra.yaml and in "
                f"{self.stack.path}/terraform.tfvars, or log in as one of its admins.",
            )
        return found if isinstance(found, BucketSettings) else None

    def _remote_serial(self) -> int | None:
        """The serial of the state in the bucket; None when there is none, or an empty one."""
        head = self.session.memory.states.head(self.stack)
        return None if head is None or head.is_empty else head.serial

    def _check_ours(self, bucket: BucketSettings | None) -> None:
        """Refuse a bucket that this bootstrap did not make, unless it is to be adopted."""
        if bucket is None or self.adopt or self.bucket_name in buckets_in(self._local_state):
            return
        raise StateError(
            f"gs://{self.bucket_name} exists already, and this bootstrap did not make it.",
            advice="Choose another name in infra.yaml and terraform.tfvars. If the bucket is yours and meant "
            "for this, `infra bootstrap --adopt` imports it.",
        )

    def _settle_copies(self) -> None:
        """A state that was moved and whose copy on this disk is still there: the copy goes."""
        if not self._local_state.exists():
            return
        local = read_state(self._local_state.read_bytes(), str(self._local_state))
        remote = self.session.memory.states.head(self.stack)
        if remote is not None and local.lineage != remote.lineage:
            raise StateError(
                f"There are two states of the bootstrap: {self.stack.state} and {self._local_state}.",
                advice="Look at both; then move the file away, or the object.",
            )
        if remote is not None and local.serial > remote.serial:
            self._move()
        else:
            self._forget_local()

    # Applying

    def _apply(self, work: Workdir, where: str) -> StackReport:
        """Plan, show, ask, apply; with nothing to do, nothing is asked."""
        session, stack = self.session, self.stack
        self.say(f"Planning {stack.path}, its state {where}")
        session.context.progress.begin([stack.id])
        try:
            self._init(work)
            outcome = session.terraform.client.plan(
                work, session.terraform.plan_options(stack, PlanOptions(lock=True)), self._doing
            )
            planned = read_outcome(session, stack, work, outcome, None, {}, shadow=False)
        finally:
            session.context.progress.end()
        if not planned.has_changes:
            return planned.report
        self.consent.to_apply(session.context.report(NAME, [planned.report]), protected=())
        self.say("Applying")
        return self._carry_out(work, planned)

    def _carry_out(self, work: Workdir, planned: Planned) -> StackReport:
        session = self.session
        context = session.context
        if planned.plan_file is None:
            raise ValueError("a plan with changes has no file")
        context.progress.begin([self.stack.id])
        try:
            done = session.terraform.client.apply(work, planned.plan_file, self._doing)
        finally:
            context.progress.end()
        if done.ok:
            return replace(planned.report, result="applied", diff="", seconds=done.seconds)
        report = failed_report(context, self.stack, planned, done, moved=bool(done.finished))
        return replace(report, advice="Mend what failed, then `infra bootstrap` again: it goes on from here.")

    def _init(self, work: Workdir) -> None:
        key = self.session.context.project.coverage.init_key(self.stack)
        remote = work.root == self.session.context.project.root / self.stack.path
        backend = self.stack.backend_config if remote else {}
        self.session.terraform.client.init(work, key, backend, on_progress=self._doing)

    def _doing(self, text: str) -> None:
        self.session.context.progress.doing(self.stack.id, text)

    def _local_workdir(self) -> Workdir:
        """A copy of the root whose state is a file in `.infra/`, with an import of a bucket to adopt."""
        context = self.session.context
        private(self._local_state.parent)
        overrides = {"infra_backend_override.tf": local_backend(self._local_state)}
        if self.adopt and self.bucket_name not in buckets_in(self._local_state):
            address = bucket_address(context.project, self.stack)
            overrides["infra_adopted.tf"] = import_block(address, self.bucket_name)
        target = context.folders.shadow(NAME)
        root = make_shadow(context.project.root, Path(self.stack.path), target, overrides)
        work = self.session.terraform.workdir(self.stack)
        return replace(work, root=root, data_dir=target.with_name(target.name + ".data"))

    # Moving the state

    def _move(self) -> None:
        """Push the state into the bucket, see that it arrived whole, and drop the copy here."""
        session, location = self.session, self._location
        if session.context.supervisor.interrupted:
            raise InterruptedRunError("Interrupted before the state was moved; run `infra bootstrap` again.")
        self.say(f"Moving its state to {location.url}")
        work = session.terraform.workdir(self.stack)
        self._init(work)
        done = session.terraform.client.run_raw(work, ("state", "push", str(self._local_state)))
        if not done.ok:
            why = session.context.mask(done.error_text.strip())
            raise StateError(
                f"The state could not be moved to {location.url}: {why}",
                advice="Are you one of `admins`? Then run `infra bootstrap` again: it goes on from here.",
            )
        local = read_state(self._local_state.read_bytes(), str(self._local_state))
        remote = session.memory.states.head(self.stack)
        if remote is None or (remote.lineage, remote.serial) < (local.lineage, local.serial):
            raise StateError(
                f"The state in {location.url} is not the one that was pushed there.",
                advice=f"It is still in {self._local_state}; run `infra bootstrap` again.",
            )
        self._forget_local()

    def _forget_local(self) -> None:
        for path in (self._local_state, self._local_state.with_name(f"{STATE_FILE}.backup")):
            path.unlink(missing_ok=True)

    def _make_keys(self) -> None:
        """The key of each environment, which those who only plan may read and cannot make."""
        bucket = self.session.memory.states.bucket(self._location)
        for folder in folders_in(self.session.context.project, self.session.memory.states, self.bucket_name):
            digest_key(bucket, folder)

    def _read_outputs(self) -> dict[str, Any]:
        """Output values by name; sensitive ones are left out."""
        head = self.session.memory.states.head(self.stack)
        found = head.outputs if head else {}
        return {name: one.get("value") for name, one in found.items() if not one.get("sensitive")}


def local_backend(path: Path) -> str:
    """An override that keeps the state in a file."""
    return f'terraform {{\n  backend "local" {{\n    path = {json.dumps(str(path))}\n  }}\n}}\n'


def import_block(address: str, name: str) -> str:
    """An import of a bucket that is there already."""
    return f"import {{\n  to = {address}\n  id = {json.dumps(name)}\n}}\n"


def buckets_in(state: Path) -> set[str]:
    """The names of the buckets that a state on disk knows."""
    try:
        resources = json.loads(state.read_bytes())["resources"]
        return {
            str(instance["attributes"]["name"])
            for resource in resources
            if resource.get("type") == BUCKET_TYPE
            for instance in resource.get("instances", ())
        }
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def bucket_address(project: Project, stack: Stack) -> str:
    """The address of the only bucket in the bootstrap's root and the modules that it calls."""
    source = project.coverage.source
    places = [("", stack.path)]
    places += [(f"module.{call.call.name}.", call.path) for call in source.calls(stack.path) if call.path]
    found = [
        f"{prefix}{BUCKET_TYPE}.{block.name}"
        for prefix, folder in places
        for _, file in source.blocks(folder)
        for block in file.of("resource")
        if block.labels[0] == BUCKET_TYPE
    ]
    if len(found) != 1:
        raise UsageError(
            f"Which bucket of {stack.path} is the state bucket cannot be told: {', '.join(found) or 'none'}.",
            advice="Write an `import` block for it there by hand.",
        )
    return found[0]
