"""The report of a run, whose advice is what works for each stack."""

from __future__ import annotations

from orchestrator.report.model import StackReport
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\nenvironments: {dev: {}, prod: {apply: ci}}\n",
    "infra/envs/dev/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
    "infra/envs/prod/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}


def test_advice_and_notes_name_commands_that_work_for_the_stack(make_repo: MakeRepo) -> None:
    context = session_in_memory(load(make_repo(FILES).root), MemoryStorage()).context
    reports = [
        StackReport(id_, id_.partition("/")[0], "interrupted", advice=resume, notes=(resume,))
        for id_ in ("dev/net", "prod/net")
        for resume in (f"`infra resume {id_}` does the rest.",)
    ]
    report = context.report("apply", reports, notes=["For the rest: `infra apply dev/net prod/net`"])
    dev, prod = report.stacks
    assert dev == reports[0]
    assert prod.advice.startswith("`/infra resume prod/net`")
    assert prod.notes == (prod.advice,)
    assert "`/infra apply dev`, `/infra apply prod`" in report.notes[0]
