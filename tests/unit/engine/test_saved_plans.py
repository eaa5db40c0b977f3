"""Which saved plans are applied: the very files that were shown, on the states that they were made from."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orchestrator.engine.saved_plans import SavedPlan, SavedPlans, check_saved_plans, prepare_folder
from orchestrator.errors import InfraError, MismatchError, PlanFileError, UsageError
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

CODE = 'terraform {\n  backend "gcs" {}\n}\n'
FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/net/main.tf": CODE,
    "infra/envs/dev/app/main.tf": CODE,
}
STATE, UPSTREAM = "dev/state/app/default.tfstate", "dev/state/net/default.tfstate"
CONTENT = b'{"version": 4, "serial": 1, "lineage": "L", "resources": []}'
Change = Callable[[SavedPlans, MemoryStorage], SavedPlans]


def _with(**fields: object) -> Change:
    def change(saved: SavedPlans, bucket: MemoryStorage) -> SavedPlans:
        entry = replace(saved.stacks["dev/app"], **fields)  # type: ignore[arg-type]
        return replace(saved, stacks={"dev/app": entry})

    return change


def _another_file(saved: SavedPlans, bucket: MemoryStorage) -> SavedPlans:
    saved.plan_file("dev/app").write_bytes(b"another plan")
    return saved


def _written(name: str) -> Change:
    def change(saved: SavedPlans, bucket: MemoryStorage) -> SavedPlans:
        bucket.write(name, CONTENT)
        return saved

    return change


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (_with(), None, ""),
        (_with(shadow=True), PlanFileError, "had no state when it was planned"),
        (_another_file, PlanFileError, "is not the file that was kept"),
        (_written(STATE), MismatchError, "The state of dev/app has moved"),
        (_written(UPSTREAM), MismatchError, "An upstream of dev/app has moved"),
    ],
)
def test_what_changed_since_the_plan_was_saved(
    make_repo: MakeRepo, tmp_path: Path, change: Change, error: type[InfraError] | None, words: str
) -> None:
    bucket = MemoryStorage()
    blob, upstream = bucket.write(STATE, CONTENT), bucket.write(UPSTREAM, CONTENT)
    session = session_in_memory(load(make_repo(FILES).root), bucket)
    upstreams = {"dev/net": upstream.generation}
    plan = SavedPlan("F", "", blob.generation, upstreams, shadow=False, destroy=False)
    saved = SavedPlans(tmp_path / "plans", {"dev/app": plan})
    saved.plan_file("dev/app").parent.mkdir(parents=True)
    # In a format of its own, as another program may have: that program decides.
    with zipfile.ZipFile(saved.plan_file("dev/app"), "w") as archive:
        archive.writestr("tfplan", b"")
    digest = hashlib.sha256(saved.plan_file("dev/app").read_bytes()).hexdigest()
    saved = change(_with(sha256=digest)(saved, bucket), bucket)
    if error is None:
        check_saved_plans(session, saved, ["dev/app"])
        return
    with pytest.raises(error, match=words):
        check_saved_plans(session, saved, ["dev/app"])


@pytest.mark.parametrize("version", ["1.11.4", "1.11.5", "1.10.0", "1.11.4-rc1"])
def test_a_plan_of_another_terraform_is_refused(make_repo: MakeRepo, tmp_path: Path, version: str) -> None:
    """The manifest is not asked: the plan file says which Terraform made it."""
    bucket = MemoryStorage()
    blob = bucket.write(STATE, CONTENT)
    session = session_in_memory(load(make_repo(FILES).root), bucket)
    runner = SimpleNamespace(
        project=session.context.project, binary_of=lambda stack: SimpleNamespace(version="1.11.4")
    )
    session = replace(session, terraform=cast(Any, runner))
    head = bytes([1 << 3, 3, 14 << 3 | 2, len(version)]) + version.encode()
    saved = SavedPlans(tmp_path / "plans", {})
    saved.plan_file("dev/app").parent.mkdir(parents=True)
    with zipfile.ZipFile(saved.plan_file("dev/app"), "w") as archive:
        archive.writestr("tfplan", head)
    digest = hashlib.sha256(saved.plan_file("dev/app").read_bytes()).hexdigest()
    plan = SavedPlan("F", digest, blob.generation, {}, shadow=False, destroy=False)
    saved = replace(saved, stacks={"dev/app": plan})
    if version == "1.11.4":
        check_saved_plans(session, saved, ["dev/app"])
        return
    with pytest.raises(PlanFileError, match=f"made by version {version}, and 1.11.4 is at hand"):
        check_saved_plans(session, saved, ["dev/app"])


def test_plans_are_not_saved_over_other_files(tmp_path: Path) -> None:
    assert prepare_folder(tmp_path / "new") == tmp_path / "new"
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds no saved plans"):
        prepare_folder(tmp_path)
