"""Which account a job acts as: for a pull request trunk says so, not the pull request."""

from __future__ import annotations

import pytest

from orchestrator.errors import ConfigError, UsageError
from orchestrator.repository.loading import load
from orchestrator.review.accounts import find_account, find_attest_account
from tests.conftest import MakeRepo

CONFIG = """
accounts: {attest: NAME-attest@p.iam.gserviceaccount.com}
environments:
  dev: {accounts: {plan: NAME-plan@p.iam.gserviceaccount.com}}
"""


def test_a_pull_requests_account_is_trunks(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra.yaml": CONFIG.replace("NAME", "trunk")})
    repo.branch("change")
    repo.commit({"infra.yaml": CONFIG.replace("NAME", "evil")})
    project = load(repo.root)
    assert find_account(project, "dev", "plan", "main") == "trunk-plan@p.iam.gserviceaccount.com"
    assert find_attest_account(project, "main") == "trunk-attest@p.iam.gserviceaccount.com"
    assert find_account(project, "dev", "plan") == "evil-plan@p.iam.gserviceaccount.com"


def test_an_account_that_trunk_does_not_name_is_an_error(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra.yaml": "environments: {dev: {}}\n"})
    repo.branch("change")
    repo.commit({"infra.yaml": CONFIG.replace("NAME", "evil")})
    project = load(repo.root)
    with pytest.raises(ConfigError, match="no plan account is given for dev"):
        find_account(project, "dev", "plan", "main")
    with pytest.raises(ConfigError, match="no account that attests"):
        find_attest_account(project, "main")
    with pytest.raises(UsageError, match="no environment 'prod'"):
        find_account(project, "prod", "plan", "main")
