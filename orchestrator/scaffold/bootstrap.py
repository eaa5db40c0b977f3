"""`infra bootstrap`: from nothing to a state bucket that holds its own state, safe to run again at any step.

Progress is not saved but looked up each time: whether there is a bucket, a state in it, and a state on this
disk. So a run continues where an earlier one stopped, whatever stopped it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.config import StackSettings
from orchestrator.engine.apply_plan import failed_report
from orchestrator.engine.folders import private
from orchestrator.engine.planner import read_outcome
from orchestrator.engine.ports import Consent
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.errors import ConfigError, InterruptedRunError, StateError, UsageError
from orchestrator.report.model import StackReport
from orchestrator.repository.discovery import RootModule, stack_of_root
from orchestrator.repository.layout import BOOTSTRAP, default_bootstrap_root
from orchestrator.repository.model import Project, Stack
from orchestrator.scaffold.bootstrap_locations import FILE as LOCATIONS
from orchestrator.scaffold.bootstrap_locations import Locations
from orchestrator.state.bucket_access import BucketSettings, read_settings
from orchestrator.state.location import Location
from orchestrator.state.plan_objects import digest_key
from orchestrator.state.statefile import read_state
from orchestrator.terraform.client import PlanOptions, Workdir
from orchestrator.terraform.shadow import make_shadow

STATE_FILE = "terraform.tfstate"
BUCKET_TYPE = "google_storage_bucket"


def bootstrap_root(project: Project, folder: str | None = None) -> str:
    """The folder of the bootstrap: as given, else the default one; UsageError without code in it."""
    path = folder or default_bootstrap_root(project)
    if not project.coverage.source.code(path):
        raise UsageError(
            f"There is no Terraform code in {path}.",
            advice="Without a folder, `infra bootstrap` writes the code where there is none.",
        )
    return path


def bootstrap_stack(project: Project, path: str) -> Stack:
    """The bootstrap as a stack of its own, whose state lies in the bucket below bootstrap/.

    The bucket is that of infra.yaml, or the one that its own backend block names.
    """
    source = project.coverage.source
    _, stack = stack_of_root(project.config, source, RootModule(BOOTSTRAP, "", path, StackSettings()))
    if not stack.backend.empty and stack.state and Location.parse(stack.state).is_remote:
        return stack
    backend = project.config.backend
    if backend is None or not backend.bucket or "{" in backend.bucket:
        raise ConfigError(
            "a bootstrap makes one bucket, and the configuration names none",
            file="infra.yaml",
            key="backend.gcs.bucket",
            advice="Write `backend: {gcs: {bucket: NAME}}`, without placeholders in the name; or remove "
            f"{path}, and name a bucket for the bootstrap alone: `infra bootstrap --bucket NAME`.",
        )
    if stack.backend.kind != backend.kind or not stack.backend.empty:
        raise UsageError(
            f"{path} must declare an empty gcs backend.",
            advice='Write `terraform { backend "gcs" {} }`: its state ends in the bucket that it makes.',
        )
    return stack


@dataclass
class Bootstrap:
    """One `infra bootstrap`. `notify` is called with each step; `adopt` takes over an existing bucket.

    `locations` are the environments that are not in `ENV/` of the bootstrap's bucket.
    """

    session: Session
    stack: Stack
    consent: Consent
    notify: Callable[[str], None]
    adopt: bool = False
    locations: Locations = field(default_factory=Locations)
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> StackReport:
        """Apply, move the state into the bucket, and look that nothing is left to do."""
        bucket = self._look()
        self._check_existing()
        moved = isinstance(bucket, BucketSettings) and self._remote_serial() is not None
        if moved:
            self._finish_move()
            report = self._apply(self.session.terraform.workdir(self.stack), "in the bucket")
        else:
            self._check_owner(bucket)
            report = self._apply(self._local_workdir(), "on this disk, since there is no bucket yet")
            if report.result == "failed":
                return report
            self._move()
        if report.result != "failed":
            self.outputs = self._read_outputs()
            self._create_keys()
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
        return self.session.context.folders.base / BOOTSTRAP / STATE_FILE

    # Looking

    def _look(self) -> BucketSettings | None:
        """The bucket's settings, None when there is none yet; StateError when it is somebody else's."""
        bucket = read_settings(self.session.memory.states.bucket(self._location))
        if bucket == "refused":
            raise StateError(
                f"gs://{self.bucket_name} exists, and you may not look at it: it belongs to somebody else, "
                "or you are not one of its admins.",
                advice="Names are unique in all of Google Cloud: choose another one in infra.yaml and in "
                f"{self.stack.path}/terraform.tfvars, or log in as one of its admins.",
            )
        return bucket if isinstance(bucket, BucketSettings) else None

    def _remote_serial(self) -> int | None:
        """The serial of the state in the bucket; None when there is none, or an empty one."""
        head = self.session.memory.states.head(self.stack)
        return None if head is None or head.is_empty else head.serial

    def _check_owner(self, bucket: BucketSettings | None) -> None:
        """Refuse a bucket that this bootstrap did not make, unless it is to be adopted."""
        if bucket is None or self.adopt or self.bucket_name in _bucket_names(self._local_state):
            return
        raise StateError(
            f"gs://{self.bucket_name} exists already, and this bootstrap did not make it.",
            advice="Choose another name in infra.yaml and terraform.tfvars. If the bucket is yours and meant "
            "for this, `infra bootstrap --adopt` imports it. To leave it as it is and only add the rights of "
            f"the accounts, remove {self.stack.path}, and give the bootstrap a bucket of its own: "
            "`infra bootstrap --bucket NAME`.",
        )

    def _check_existing(self) -> None:
        """Refuse buckets of states in which the accounts could not get their rights."""
        for name in self.locations.existing_buckets:
            settings = read_settings(self.session.memory.states.bucket(Location(name, "")))
            if not isinstance(settings, BucketSettings):
                what = "does not exist" if settings == "missing" else "may not be looked at by you"
                raise StateError(
                    f"gs://{name} {what}, and {self.stack.path}/{LOCATIONS} lists it as existing.",
                    advice="Log in as one who may administer it, or remove it from `existing_buckets` there, "
                    "to have it created.",
                )
            if not settings.uniform_access:
                raise StateError(
                    f"gs://{name} has access by object, so no account can get rights in a folder of it.",
                    advice=f"`gcloud storage buckets update gs://{name} --uniform-bucket-level-access`. "
                    "Look first who has rights by object: they lose them.",
                )

    def _finish_move(self) -> None:
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
        self.notify(f"Planning {stack.path}, its state {where}")
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
        self.consent.to_apply(session.context.report(BOOTSTRAP, [planned.report]), protected=())
        self.notify("Applying")
        return self._execute(work, planned)

    def _execute(self, work: Workdir, planned: StackPlan) -> StackReport:
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
        return replace(report, advice="Fix what failed, then `infra bootstrap` again: it goes on from here.")

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
        overrides = {"infra_backend_override.tf": _render_local_backend(self._local_state)}
        if self.adopt and self.bucket_name not in _bucket_names(self._local_state):
            address = _find_bucket_address(context.project, self.stack)
            overrides["infra_adopted.tf"] = _render_import_block(address, self.bucket_name)
        target = context.folders.shadow(BOOTSTRAP)
        root = make_shadow(context.project.root, Path(self.stack.path), target, overrides)
        work = self.session.terraform.workdir(self.stack)
        return replace(work, root=root, data_dir=target.with_name(target.name + ".data"))

    # Moving the state

    def _move(self) -> None:
        """Push the state into the bucket, see that it arrived whole, and drop the copy here."""
        session, location = self.session, self._location
        if session.context.supervisor.interrupted:
            raise InterruptedRunError("Interrupted before the state was moved; run `infra bootstrap` again.")
        self.notify(f"Moving its state to {location.url}")
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

    def _create_keys(self) -> None:
        """The marker and the key of each environment, which those who only plan may read and cannot make."""
        ledgers = self.session.memory.ledgers
        for folder in ledgers.folders():
            if folder.bucket == self.bucket_name or folder.bucket in self.locations.buckets:
                ledgers.mark(folder)
                digest_key(ledgers.storage(folder), folder.base)
        bucket = self.session.memory.states.bucket(self._location)
        for base in environments_of_others(self.outputs):
            digest_key(bucket, base)

    def _read_outputs(self) -> dict[str, Any]:
        """Output values by name; sensitive ones are left out."""
        head = self.session.memory.states.head(self.stack)
        outputs = head.outputs if head else {}
        return {name: output.get("value") for name, output in outputs.items() if not output.get("sensitive")}


def environments_of_others(outputs: Mapping[str, Any]) -> tuple[str, ...]:
    """The folders of other repositories' environments in the bucket, which the bootstrap's outputs list.

    Their markers are written by their own first apply.
    """
    repositories = outputs.get("repositories") or {}
    return tuple(
        f"{folder}/{environment}"
        for folder, repository in sorted(repositories.items())
        for environment in sorted(repository["accounts"])
    )


def _render_local_backend(path: Path) -> str:
    """An override that keeps the state in a file."""
    return f'terraform {{\n  backend "local" {{\n    path = {json.dumps(str(path))}\n  }}\n}}\n'


def _render_import_block(address: str, name: str) -> str:
    """An import of a bucket that is there already."""
    return f"import {{\n  to = {address}\n  id = {json.dumps(name)}\n}}\n"


def _bucket_names(state: Path) -> set[str]:
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


def _find_bucket_address(project: Project, stack: Stack) -> str:
    """The address of the only bucket in the bootstrap's root and the modules that it calls."""
    source = project.coverage.source
    folders = [("", stack.path)]
    folders += [
        (f"module.{call.call.name}.", call.path)
        for call in source.calls(stack.path)
        if call.path and "for_each" not in call.call.arguments
    ]
    addresses = [
        f"{prefix}{BUCKET_TYPE}.{block.name}{'[0]' if 'count' in block.attributes else ''}"
        for prefix, folder in folders
        for _, file in source.blocks(folder)
        for block in file.of("resource")
        if block.labels[0] == BUCKET_TYPE
    ]
    if len(addresses) != 1:
        raise UsageError(
            f"The state bucket of {stack.path} is ambiguous: {', '.join(addresses) or 'none'}.",
            advice="Write an `import` block for it there by hand.",
        )
    return addresses[0]
