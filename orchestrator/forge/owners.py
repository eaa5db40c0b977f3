"""Finds the owners of a path by CODEOWNERS, and whether a login is one of them, teams included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import ConfigError
from orchestrator.forge.interface import TEAMS_TOKEN, Teams
from orchestrator.repository import codeowners
from orchestrator.repository.codeowners import CodeOwners
from orchestrator.repository.model import Finding, Project, Stack

# The code of findings.
CODE = "code-owners"
NO_OWNER = "no-owner"
_TEAMS_ADVICE = (
    f"Set {TEAMS_TOKEN} to a token that may read the organization's members (a GitHub App's, or a person's), "
    "in the compare and apply jobs only; or name users in CODEOWNERS."
)


@dataclass
class Owners:
    """The owners of paths by the CODEOWNERS file of one commit.

    `prefix` is the project's folder in the repository, empty at its top: paths are relative to the project.
    `teams` is None without a token for them.
    """

    rules: CodeOwners
    prefix: str = ""
    teams: Teams | None = None
    _members: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False)

    def of(self, path: str) -> tuple[str, ...]:
        """The owners of a path of the project: `@user`, `@org/team` or an e-mail address."""
        return self.rules.of(f"{self.prefix}{path}")

    def of_folder(self, path: str) -> tuple[str, ...]:
        """The owners of a folder: of a file in it that no pattern names itself."""
        return self.of(_file_in(path))

    def of_stack(self, stack: Stack) -> StackOwners:
        """The owners of a stack's folder, and the line that decides."""
        rule = self.rules.rule(f"{self.prefix}{_file_in(stack.path)}")
        owners, line = (rule.owners, rule.line) if rule else ((), None)
        return StackOwners(stack.id, stack.environment, stack.path, owners, line)

    def is_owner(self, owners: Iterable[str], login: str) -> bool:
        """Whether a login is one of these owners, by name or as a member of a team.

        An e-mail address matches nobody: GitHub does not report whose it is. Raises ConfigError if only a
        team could decide and there is no token for it, and ForgeError.
        """
        names = tuple(owners)
        if f"@{login}".lower() in (owner.lower() for owner in names):
            return True
        return any(self._is_member(owner[1:], login) for owner in names if is_team(owner))

    def _is_member(self, team: str, login: str) -> bool:
        if self.teams is None:
            raise ConfigError(
                f"The members of {team}, which CODEOWNERS names, cannot be read.", advice=_TEAMS_ADVICE
            )
        key = (team.lower(), login.lower())
        if key not in self._members:
            self._members[key] = self.teams.is_member(team, login)
        return self._members[key]


@dataclass(frozen=True)
class StackOwners:
    """The owners of a stack's folder.

    `line` is that of CODEOWNERS which decides, None where none matches. A line may name nobody.
    """

    id: str
    environment: str
    path: str
    owners: tuple[str, ...]
    line: int | None

    def document(self) -> dict[str, Any]:
        """The stack in `infra owners --json`."""
        return {
            "id": self.id,
            "environment": self.environment,
            "path": self.path,
            "owners": list(self.owners),
            "line": self.line,
        }


def _file_in(folder: str) -> str:
    """The path of a file in a folder that no pattern names itself."""
    return f"{folder}/" if folder not in ("", ".") else ""


def is_team(owner: str) -> bool:
    """True for `@org/team`."""
    return owner.startswith("@") and "/" in owner


def owners_by_stack(project: Project) -> dict[str, tuple[str, ...]]:
    """The owners of every stack of a project, by its id."""
    owners = read_owners(project)
    return {stack.id: owners.of_stack(stack).owners for stack in project.stacks.values()}


def read_owners(project: Project, teams: Teams | None = None) -> Owners:
    """Reads the owners from a project's own commit; CODEOWNERS is at the top of the repository."""
    repository = project.repository
    top = repository.at(repository.top)
    tree = top.commit_tree(project.commit) if project.tree.commit and project.commit else top.working_tree()
    return Owners(codeowners.read(tree), repository.prefix, teams)


def find_owner_problems(project: Project, environ: Mapping[str, str]) -> list[Finding]:
    """Why `approved_by: codeowners` cannot work: no file, a stack without owners, no token for teams."""
    names = [
        name for name in project.environments if project.config.environment(name).approved_by == "codeowners"
    ]
    stacks = [stack for name in names for stack in project.of(name)]
    if not stacks:
        return []
    owners = read_owners(project)
    if owners.rules.file is None:
        message = f"environments.{names[0]}.approved_by is codeowners, and there is no CODEOWNERS file."
        advice = "Add .github/CODEOWNERS, or let reviews approve: `approved_by: review`."
        return [Finding("error", CODE, message, advice, "infra.yaml")]
    findings = [_without_owner(owners, stack) for stack in stacks if not owners.of_folder(stack.path)]
    teams = sorted({owner for stack in stacks for owner in owners.of_folder(stack.path) if is_team(owner)})
    if teams and not environ.get(TEAMS_TOKEN, "").strip():
        message = (
            f"approved_by is codeowners and CODEOWNERS names teams ({', '.join(teams)}), whose members "
            f"cannot be read: {TEAMS_TOKEN} is not set."
        )
        findings.append(Finding("error", CODE, message, _TEAMS_ADVICE, owners.rules.file))
    return findings


def _without_owner(owners: Owners, stack: Stack) -> Finding:
    message = f"Nobody owns {stack.path}, so nobody can approve {stack.id}."
    return Finding("error", CODE, message, _line_advice(owners, stack), owners.rules.file, stack=stack.id)


def _line_advice(owners: Owners, stack: Stack) -> str:
    folder = _file_in(f"{owners.prefix}{stack.path}".removesuffix("/."))
    return f"Add a line to {owners.rules.file or codeowners.PATHS[0]}: `/{folder} @owner`."


def find_unowned(project: Project) -> list[Finding]:
    """The stacks that nobody owns: errors if `lint.owners` is required, else warnings.

    Without a CODEOWNERS file no stack has an owner: one finding, and none where owners are optional.
    """
    is_required = project.config.lint.owners == "required"
    owners = read_owners(project)
    if owners.rules.file is None:
        message = "`lint.owners` is required, and there is no CODEOWNERS file."
        advice = f"Add {codeowners.PATHS[0]}; `infra init --owner @acme/platform` writes one."
        return [Finding("error", NO_OWNER, message, advice, "infra.yaml")] if is_required else []
    return [
        Finding(
            "error" if is_required else "warning",
            NO_OWNER,
            f"Nobody owns {stack.id}.",
            _line_advice(owners, stack),
            stack.path,
            stack=stack.id,
        )
        for stack in project.stacks.values()
        if not owners.of_stack(stack).owners
    ]
