"""Which service account a job acts as: infra.yaml says, and for a pull request trunk's infra.yaml."""

from __future__ import annotations

from orchestrator.config import load_text
from orchestrator.errors import ConfigError, UsageError
from orchestrator.project.model import Project

CONFIG = "infra.yaml"


def account_of(project: Project, environment: str, use: str, base: str | None = None) -> str:
    """The e-mail address of an environment's account for `use` (plan, apply or drift).

    With `base`, a revision, infra.yaml is that commit's. ConfigError when it names no account.
    """
    config = project.config
    if base is not None:
        commit = project.repository.resolve(base)
        tree = project.repository.commit_tree(commit)
        text = tree.read(CONFIG).decode("utf-8", "replace") if CONFIG in tree.ids else ""
        config = load_text(text, f"{commit[:10]}:{CONFIG}")
    if environment not in {*config.environments, *project.order.all}:
        raise UsageError(
            f"There is no environment {environment!r}.",
            advice=f"There are {', '.join(project.order.all) or 'none'}.",
        )
    account: str | None = getattr(config.environment(environment).accounts, use)
    if account is None:
        raise ConfigError(
            f"no {use} account is given for {environment}",
            file=CONFIG,
            key=f"environments.{environment}.accounts.{use}",
            advice="`infra bootstrap` makes the accounts and prints what to put here.",
        )
    return account
