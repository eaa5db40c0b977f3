"""Accounts in the text of infra.yaml, however it is written; nothing else of it changes."""

from __future__ import annotations

import pytest

from orchestrator.config import load_text
from orchestrator.errors import ConfigError
from orchestrator.scaffold.account_settings import write_accounts

ATTEST = "infra-attest@p.iam.gserviceaccount.com"


def of(name: str) -> dict[str, str]:
    return {use: f"infra-{name}-{use}@p.iam.gserviceaccount.com" for use in ("plan", "apply", "drift")}


ACCOUNTS = {name: of(name) for name in ("prod", "dev")}
ORDER = ("dev", "prod")

FLOW = "version: 1\nenvironments:\n  dev: {}  # first\n  prod: {protected: true, apply: ci}\n"
BLOCK = """\
# Ours.
version: 1
environments:
  dev:
  # What CI does.
  prod:
    protected: true # always
    apply: ci

policy: {limits: {deletes: 9}}
"""
OLD = """\
accounts: {attest: old@p.iam.gserviceaccount.com}
environments:
    dev:
        accounts:
            plan: old@p.iam.gserviceaccount.com
            apply: old@p.iam.gserviceaccount.com
        soak: 5m
    prod: {accounts: {plan: old@p.iam.gserviceaccount.com}}
"""
ONE_LINE = "{version: 1, environments: {dev: {}, prod: {protected: true}}}\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version: 1",
        "# Only this.\n",
        FLOW,
        BLOCK,
        OLD,
        ONE_LINE,
        "environments:\n  dev: null\n  prod: ~\n",
    ],
)
def test_the_accounts_are_there_and_the_rest_stays(text: str) -> None:
    written = write_accounts(text, ACCOUNTS, ATTEST, ORDER)
    config, before = load_text(written), load_text(text)
    for name in ORDER:
        accounts = config.environment(name).accounts
        assert {"plan": accounts.plan, "apply": accounts.apply, "drift": accounts.drift} == of(name)
        assert config.environment(name).soak == before.environment(name).soak
        assert config.environment(name).protected == before.environment(name).protected
    assert config.accounts.attest == ATTEST
    assert tuple(config.environments) == ORDER
    assert (config.version, config.policy) == (before.version, before.policy)
    for line in text.splitlines():
        if "#" in line:
            assert line[line.index("#") :] in written
    assert write_accounts(written, ACCOUNTS, ATTEST, ORDER) == written


def test_a_file_reads_as_one_would_write_it() -> None:
    assert write_accounts("version: 1\nenvironments:\n  dev: {}\n", {"dev": of("dev")}, ATTEST, ("dev",)) == (
        "version: 1\n"
        "environments:\n"
        "  dev:\n"
        "    accounts:\n"
        "      plan: infra-dev-plan@p.iam.gserviceaccount.com\n"
        "      apply: infra-dev-apply@p.iam.gserviceaccount.com\n"
        "      drift: infra-dev-drift@p.iam.gserviceaccount.com\n"
        "\n"
        "accounts:\n"
        f"  attest: {ATTEST}\n"
    )


def test_an_environment_that_is_not_listed_has_no_position_in_the_order() -> None:
    with pytest.raises(ConfigError, match=r"does not list the environment prod"):
        write_accounts("environments: {dev: {}}\n", ACCOUNTS, ATTEST, ORDER)


@pytest.mark.parametrize(
    "text",
    [
        "- a list\n",
        "environments: &x {dev: {}, prod: {}}\nstacks: *x\n",
        "environments:\n  dev: &d {soak: 5m}\n  prod: *d\n",
    ],
)
def test_what_cannot_be_edited_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        write_accounts(text, ACCOUNTS, ATTEST, ORDER)
