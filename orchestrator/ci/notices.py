"""Other open pull requests are told that their plan is stale, when stacks that they touch were changed."""

from __future__ import annotations

from collections.abc import Sequence
from posixpath import dirname

from orchestrator.ci.landed import WENT
from orchestrator.ci.posting import Outbox, ours, sticky
from orchestrator.hosts.model import PullRequest
from orchestrator.hosts.port import Host
from orchestrator.project.model import Project
from orchestrator.report import markers
from orchestrator.report.landing import Landing

# Open pull requests that are looked at, the newest first: each takes a request or two.
MOST = 100


def tell_others(host: Host, project: Project, landings: Sequence[Landing], outbox: Outbox) -> None:
    """Comment on every open pull request whose plan was made before something that it touches was applied."""
    applied = {one.id: landing for landing in landings for one in landing.stacks if one.report.result in WENT}
    if not applied:
        return
    merged = {number for landing in landings for number in landing.pull_requests}
    folders = {id_: folders_of(project, id_) for id_ in applied}
    trunk = landings[0].trunk
    found = outbox.send("Open pull requests", lambda: host.open_pull_requests(trunk)) or []
    for one in sorted(found, key=lambda one: -one.number)[:MOST]:
        if one.number not in merged:
            outbox.send(
                f"The note on #{one.number}",
                lambda one=one: _tell(host, one, folders, landings[0].commit),  # type: ignore[misc]
            )


def folders_of(project: Project, stack: str) -> frozenset[str]:
    """The folders whose files a stack's plan reads."""
    if stack not in project.stacks:
        return frozenset()
    return frozenset({project.stacks[stack].path, *map(dirname, project.files(stack))})


def _tell(host: Host, one: PullRequest, folders: dict[str, frozenset[str]], commit: str) -> None:
    """Tell one of them; only where there is a plan that can be stale."""
    from orchestrator.report.landing_comment import stale_notice

    changed = {dirname(path) for path in host.changed_paths(one.number)}
    touched = tuple(sorted(id_ for id_, where in folders.items() if where & changed))
    if touched and ours(host, one.number, markers.PLAN):
        sticky(host, one.number, markers.STALE, stale_notice(touched, commit))
