"""Which commit of trunk the work at hand contains, as the clone and trunk itself say."""

from __future__ import annotations

from orchestrator.config import FILE_NAME, Config
from orchestrator.errors import GitError
from orchestrator.repository.loading import config_of
from orchestrator.repository.model import Project


def trunk_commit(project: Project) -> str | None:
    """The commit of trunk that the work at hand contains; None where there is no trunk or no commit.

    Which branch is trunk is not for the checkout's infra.yaml to say: its author could name any branch. So
    it is what the clone says, and then what infra.yaml says there. Raises GitError and ConfigError where that
    cannot be read.
    """
    repository = project.repository
    head = project.tree.commit or repository.head()
    try:
        trunk = repository.trunk()
    except GitError:
        return None
    if head is None:
        return None
    commit = repository.merge_base(trunk, head)
    named = config_at(project, commit).trunk
    return repository.merge_base(repository.trunk(named), head) if named else commit


def require_trunk_commit(project: Project) -> str | None:
    """The same for work whose rules come from trunk; None in a repository without commits.

    Raises GitError where only the checkout's infra.yaml says which branch is trunk, or nothing does.
    """
    commit = trunk_commit(project)
    if commit is not None or project.repository.head() is None:
        return commit
    named = project.repository.trunk(project.config.trunk).rpartition("/")[2]
    raise GitError(
        f"Only this checkout's infra.yaml says that {named} is trunk, and any branch could say so: its rules "
        "cannot be read from there.",
        advice=f"Say it yourself: `--base origin/{named}`, or once for the clone "
        f"`git remote set-head origin {named}`.",
    )


def config_at(project: Project, commit: str) -> Config:
    """infra.yaml of a commit; the defaults without one. The checkout's own is read already."""
    tree = project.repository.commit_tree(commit)
    if FILE_NAME in tree.ids and tree.ids[FILE_NAME] == project.tree.ids.get(FILE_NAME):
        return project.config
    return config_of(project.repository, tree)
