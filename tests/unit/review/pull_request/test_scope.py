"""What a pull request is planned with, and what its reviewers are told about that."""

from __future__ import annotations

import pytest

from orchestrator.repository.loading import load
from orchestrator.review.pull_request.scope import read_scope
from tests.conftest import MakeRepo

NOTE = "masking of infra.yaml changes: what it hides more is hidden in this plan already."


@pytest.mark.parametrize(
    ("after", "note"), [("masking: {names: [member]}\n", True), ("masking: {}\n# The same.\n", False)]
)
def test_reviewers_see_that_a_pull_request_hides_more(make_repo: MakeRepo, after: str, note: bool) -> None:
    repo = make_repo({"infra.yaml": "masking: {}\n", "infra/envs/dev/a/main.tf": "# x\n"})
    repo.git("checkout", "-q", "-b", "work")
    repo.commit({"infra.yaml": after}, "Masking")
    scope = read_scope(load(repo.root), None, "main")
    assert (NOTE in scope.notes) is note
    assert ("member" in scope.project.config.masking.names) is note
