"""Saved plans: written by `plan --out DIR`, checked and read by `apply --plan DIR`."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.atomic_files import write_private
from orchestrator.engine.folders import private
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.errors import MismatchError, PlanFileError, UsageError
from orchestrator.jsontext import MALFORMED, read_object
from orchestrator.plan.plan_file import plan_file_info
from orchestrator.repository.model import encode_id
from orchestrator.state.records import build_record

MANIFEST = "manifest.json"
VERSION = 1


@dataclass(frozen=True)
class SavedPlan:
    """One stack's entry in the manifest.

    `generation` is the state's and `upstreams` those of the stacks whose state its code reads.
    """

    fingerprint: str
    sha256: str
    generation: str | None
    upstreams: Mapping[str, str]
    shadow: bool
    destroy: bool


@dataclass(frozen=True)
class SavedPlans:
    """A folder of saved plans."""

    folder: Path
    stacks: Mapping[str, SavedPlan]

    def plan_file(self, stack: str) -> Path:
        """Where a stack's plan lies."""
        return self.folder / encode_id(stack) / "plan.tfplan"


def prepare_folder(folder: Path) -> Path:
    """The folder for `--out`: made if need be; one that holds something else is refused."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", advice="Give --out the path of a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise UsageError(
            f"{folder} is not empty and holds no saved plans.", advice="Give --out a folder of its own."
        )
    return folder


def save_plans(session: Session, planned: Mapping[str, StackPlan], folder: Path, *, destroy: bool) -> None:
    """Copy the plan files with changes to `folder` and write its manifest last; all 0600."""
    private(folder)
    for old in folder.iterdir():
        if old.is_dir() and (old / "plan.tfplan").exists():
            shutil.rmtree(old)
    (folder / MANIFEST).unlink(missing_ok=True)
    stacks: dict[str, Any] = {}
    for stack, plan in planned.items():
        if not (plan.has_changes and plan.plan_file):
            continue
        data = plan.plan_file.read_bytes()
        write_private(private(folder / encode_id(stack)) / "plan.tfplan", data)
        stacks[stack] = asdict(
            SavedPlan(
                fingerprint=session.context.project.fingerprint(stack),
                sha256=hashlib.sha256(data).hexdigest(),
                generation=plan.generation,
                upstreams=dict(plan.upstreams),
                shadow=plan.shadow,
                destroy=destroy,
            )
        )
    manifest = {
        "version": VERSION,
        "commit": session.context.info.commit,
        "terraform": session.terraform.binaries.default.version,
        "stacks": stacks,
    }
    write_private(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())


def read_saved_plans(folder: Path) -> SavedPlans:
    """The manifest of a folder that `plan --out` wrote.

    UsageError where there is none, PlanFileError when it cannot be used.
    """
    path = folder / MANIFEST
    if not path.exists():
        what = "does not exist" if not folder.exists() else f"holds no {MANIFEST}"
        raise UsageError(f"{folder} {what}.", advice="Give --plan the folder that `infra plan --out` wrote.")
    try:
        content = read_object(path.read_bytes())
        if content["version"] != VERSION:
            raise PlanFileError(
                f"{path} has version {content['version']}; this infra reads version {VERSION}.",
                advice="Use the infra that made it, or plan again.",
            )
        stacks = {name: build_record(SavedPlan, entry) for name, entry in content["stacks"].items()}
        return SavedPlans(folder, stacks)
    except (OSError, *MALFORMED) as error:
        why = error.strerror if isinstance(error, OSError) else f"it is not what infra writes ({error})"
        raise PlanFileError(
            f"{path} cannot be read: {why}.", advice="Give --plan the folder that `infra plan --out` wrote."
        ) from error


def check_saved_plans(session: Session, saved: SavedPlans, stacks: Sequence[str]) -> None:
    """Check that every saved plan may still be applied; raises for the first that may not."""
    for stack in stacks:
        _check(session, saved, stack)


def _check(session: Session, saved: SavedPlans, stack_id: str) -> None:
    entry = saved.stacks[stack_id]
    path = saved.plan_file(stack_id)
    again = f"Plan again: `infra plan {stack_id} --out DIR`."
    if entry.shadow:
        raise PlanFileError(
            f"{stack_id} had no state when it was planned, and such a plan cannot be applied.",
            advice=f"Apply a new stack in one go: `infra apply {stack_id}`.",
            stack=stack_id,
        )
    try:
        file_hash = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PlanFileError(
            f"{path} cannot be read: {error.strerror}", advice=again, stack=stack_id
        ) from error
    if file_hash != entry.sha256:
        raise PlanFileError(f"{path} is not the file that was kept.", advice=again, stack=stack_id)
    _check_version(session.terraform, path, stack_id)
    stack = session.context.project.stacks.get(stack_id)
    if stack is None:
        raise PlanFileError(f"There is no stack {stack_id} here.", advice=again, stack=stack_id)
    if session.memory.states.generation(stack) != entry.generation:
        raise MismatchError(
            f"The state of {stack_id} has moved since the plan.", advice=again, stack=stack_id
        )
    if session.memory.states.moved(entry.upstreams):
        raise MismatchError(
            f"An upstream of {stack_id} has moved since the plan.", advice=again, stack=stack_id
        )


def _check_version(terraform: TerraformRunner, path: Path, stack_id: str) -> None:
    """Refuse a plan of another Terraform: the file itself says which one made it."""
    info = plan_file_info(path)
    if not info.format_ok:
        # A format of its own, as a newer Terraform or OpenTofu may have: that program decides.
        return
    binary = terraform.binary_of(terraform.project.stacks[stack_id])
    if info.terraform_version != binary.version:
        raise PlanFileError(
            f"The plan of {stack_id} was made by version {info.terraform_version}, "
            f"and {binary.version} is at hand.",
            advice="Terraform applies only its own version's plans: use that version, or plan again.",
            stack=stack_id,
        )
