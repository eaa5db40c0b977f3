"""Builds the checks of `infra doctor --github`."""

from __future__ import annotations

from orchestrator.forge.check import ForgeCheck


def ok_check(name: str, message: str) -> ForgeCheck:
    """A check that passed."""
    return ForgeCheck(name, "ok", message)


def unseen_check(name: str, what: str, reason: str) -> ForgeCheck:
    """A check that could not read what it needs."""
    return ForgeCheck(
        name,
        "unseen",
        f"{what} could not be seen, because: {reason}",
        "Look with an administrator's token in GH_TOKEN (fine-grained: Administration, Actions and Contents, "
        "read-only). A workflow's own token never has Administration.",
    )


def error_check(
    name: str, message: str, why: str, fix: str, *, file: str | None = None, line: int | None = None
) -> ForgeCheck:
    """A setting that breaks a guarantee of infra."""
    return ForgeCheck(name, "error", message, fix, why, file, line)


def warning_check(
    name: str, message: str, why: str, fix: str, *, file: str | None = None, line: int | None = None
) -> ForgeCheck:
    """A setting that weakens a guarantee of infra."""
    return ForgeCheck(name, "warning", message, fix, why, file, line)
