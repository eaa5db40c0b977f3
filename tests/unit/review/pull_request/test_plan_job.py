"""Which stacks a plan job plans for a pull request that approves what is pending."""

from __future__ import annotations

from orchestrator.repository.loading import load
from orchestrator.review.pull_request import plan_job
from orchestrator.review.pull_request.scope import PlanPart
from orchestrator.state.records import LedgerEntry, encode_entry
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

BACKEND = 'terraform {\n  backend "gcs" {}\n}\n'
READS = """
data "terraform_remote_state" "net" {
  backend = "gcs"
  config  = { bucket = "b", prefix = "prod/state/net" }
}
output "x" { value = data.terraform_remote_state.net.outputs.x }
"""
FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/prod/net/main.tf": BACKEND + 'output "x" { value = 1 }\n',
    "infra/envs/prod/app/main.tf": BACKEND + READS,
    "infra/envs/prod/other/main.tf": BACKEND,
    "infra/envs/dev/net/main.tf": BACKEND,
}


def test_what_reads_a_pending_stack_is_planned_beside_it(make_repo: MakeRepo) -> None:
    """So that one approval is enough for both."""
    bucket = MemoryStorage()
    session = session_in_memory(load(make_repo(FILES).root), bucket)
    project = session.context.project
    for name in ("app", "other"):
        id_ = f"prod/{name}"
        entry = LedgerEntry(id_, project.commit or "", project.fingerprint(id_), result="applied")
        bucket.write(f"prod/ledger/stacks/{name}.json", encode_entry(entry))
    part = plan_job._with_pending(session, PlanPart(("prod",)), "prod")
    assert part.stacks == ("prod/net",)
    assert dict(part.dependents) == {"prod/app": ("prod/net",)}
    nothing = plan_job._with_pending(session, PlanPart(("prod",)), "")
    assert (nothing.stacks, dict(nothing.dependents)) == ((), {})
