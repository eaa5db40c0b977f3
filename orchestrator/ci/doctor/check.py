"""One finding of `infra doctor --github`: what, why it matters, how to set it right, and where."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.run.doctoring import Check


@dataclass(frozen=True)
class GitHubCheck(Check):
    """A check with its reason. `file` is from the repository's root, `line` 1-based."""

    why: str = ""
    file: str | None = None
    line: int | None = None


def fine(name: str, message: str) -> GitHubCheck:
    """All is well."""
    return GitHubCheck(name, "ok", message)


def unseen(name: str, what: str, reason: str) -> GitHubCheck:
    """Something that could not be looked at."""
    return GitHubCheck(
        name,
        "unseen",
        f"{what} could not be seen, because: {reason}",
        "Look with an administrator's token in GH_TOKEN (fine-grained: Administration, Actions and Contents, "
        "read-only). A workflow's own token never has Administration.",
    )


def wrong(
    name: str, message: str, why: str, fix: str, *, file: str | None = None, line: int | None = None
) -> GitHubCheck:
    """Something that makes a promise of infra untrue."""
    return GitHubCheck(name, "error", message, fix, why, file, line)


def doubtful(
    name: str, message: str, why: str, fix: str, *, file: str | None = None, line: int | None = None
) -> GitHubCheck:
    """Something that makes it weaker than it need be."""
    return GitHubCheck(name, "warning", message, fix, why, file, line)
