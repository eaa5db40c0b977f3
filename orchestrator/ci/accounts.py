"""Which service account a job acts as: infra.yaml says, and for a pull request trunk's infra.yaml."""

from __future__ import annotations

from orchestrator.config import Config, load_text
from orchestrator.errors import ConfigError, UsageError
from orchestrator.project.model import Project

CONFIG = "infra.yaml"
ATTEST = "attest"


def account_of(project: Project, environment: str, use: str, base: str | None = None) -> str:
    """The e-mail address of an environment's account for `use` (plan, apply or drift).

    With `base`, a revision, infra.yaml is that commit's. ConfigError when it names no account.
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


def attest_account(project: Project, base: str | None = None) -> str:
    """The e-mail address of the account that attests, of all environments alike; else as `account_of`."""
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
