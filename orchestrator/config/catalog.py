"""The section `catalog`: templates from which `infra new` makes stacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from orchestrator.config.section import ConfigSection

if TYPE_CHECKING:
    from pydantic import Field

    from orchestrator.config.fields import FullCommit, GitUrl, Inside, Text

TemplateKind = Literal["stack", "service", "pipeline"]

TOP = PurePosixPath(".")


@dataclass(frozen=True)
class CatalogSource(ConfigSection):
    """One template: a folder of the repository, or of another repository at a commit."""

    kind: TemplateKind = "stack"
    """What it makes: `infra new KIND NAME --template …` offers it."""
    folder: Annotated[Inside, Field(examples=["templates/queue"])] = TOP
    """The folder of the template with its copier.yml: of this repository, or of the one at `git`."""
    git: Annotated[GitUrl | None, Field(examples=["https://github.com/acme/templates.git"])] = None
    """The address of the Git repository that holds it. Default: this repository."""
    commit: Annotated[FullCommit | None, Field(examples=["0123456789abcdef0123456789abcdef01234567"])] = None
    """The full id of the commit to read it at; required with `git`."""
    description: Text = ""
    """One line for `infra catalog list`."""
    trusted: bool = False
    """Whether it may run code: Copier's tasks, migrations and extensions. Read from trunk."""

    def __post_init__(self) -> None:
        if self.git is not None and self.commit is None:
            raise ValueError(
                "`git` needs `commit`, the full id of a commit: a branch or a tag can move to other content"
            )
        if self.git is None and self.commit is not None:
            raise ValueError("`commit` belongs to `git`; a folder of this repository is read at its HEAD")
        if self.git is None and self.folder == TOP:
            raise ValueError("`folder` must be the folder of a template")
