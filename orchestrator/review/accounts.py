"""Finds the service account that a job acts as: from infra.yaml, for a pull request from trunk's."""

from __future__ import annotations

from orchestrator.config import Config, load_text
from orchestrator.errors import ConfigError, UsageError
from orchestrator.repository.model import Project

CONFIG = "infra.yaml"
ATTEST = "attest"


def find_account(project: Project, environment: str, use: str, base: str | None = None) -> str:
    """The e-mail address of an environment's account for `use` (plan, apply or drift).

    With `base`, a revision, infra.yaml of that commit is read. Raises ConfigError if it names no account.
    """
    config = _config(project, base)
    if environment not in {*config.environments, *project.order.all}:
        raise UsageError(
            f"There is no environment {environment!r}.",
            advice=f"There are {', '.join(project.order.all) or 'none'}.",
        )
    account: str | None = getattr(config.environment(environment).accounts, use)
    return _required(
        account, f"no {use} account is given for {environment}", f"environments.{environment}", use
    )


def find_attest_account(project: Project, base: str | None = None) -> str:
    """The e-mail address of the account that attests plans of all environments; see `find_account`."""
    account = _config(project, base).accounts.attest
    return _required(account, "no account that attests plans is given", "", ATTEST)


def _config(project: Project, base: str | None) -> Config:
    if base is None:
        return project.config
    commit = project.repository.resolve(base)
    tree = project.repository.commit_tree(commit)
    text = tree.read(CONFIG).decode("utf-8", "replace") if CONFIG in tree.ids else ""
    return load_text(text, f"{commit[:10]}:{CONFIG}")


def _required(account: str | None, problem: str, section: str, use: str) -> str:
    if account is None:
        raise ConfigError(
            problem,
            file=CONFIG,
            key=".".join(filter(None, (section, "accounts", use))),
            advice="`infra bootstrap` makes the accounts and prints what to put here.",
        )
    return account
