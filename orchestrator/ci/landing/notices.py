"""Other open pull requests are told that their plan is stale, when stacks that they touch were changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from posixpath import dirname

from orchestrator.ci.landing.landed import WENT
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
    reads = {id_: reads_of(project, id_) for id_ in applied}
    trunk = landings[0].trunk
    found = outbox.send("Open pull requests", lambda: host.open_pull_requests(trunk)) or []
    for one in sorted(found, key=lambda one: -one.number)[:MOST]:
        if one.number not in merged:
            outbox.send(
                f"The note on #{one.number}",
                lambda one=one: _tell(host, one, reads, landings[0].commit),  # type: ignore[misc]
            )


@dataclass(frozen=True)
class Reads:
    """What a stack's plan reads: files, and folders of code in which a new file would be read too."""

    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()

    def touched_by(self, paths: Iterable[str]) -> bool:
        """Whether a change of these paths may change the plan."""
        return any(path in self.files or dirname(path) in self.folders for path in paths)


def reads_of(project: Project, stack: str) -> Reads:
    """What a stack reads; nothing for one that is gone."""
    if stack not in project.stacks:
        return Reads()
    files = frozenset(project.files(stack))
    code = {dirname(path) for path in files if path.endswith((".tf", ".tf.json"))}
    return Reads(files, frozenset({project.stacks[stack].path, *code}))


def _tell(host: Host, one: PullRequest, reads: Mapping[str, Reads], commit: str) -> None:
    """Tell one of them; only where there is a plan that can be stale."""
    from orchestrator.report.landing_comment import stale_notice

    changed = host.changed_paths(one.number)
    touched = tuple(sorted(id_ for id_, one_ in reads.items() if one_.touched_by(changed)))
    if touched and ours(host, one.number, markers.PLAN):
        sticky(host, one.number, markers.STALE, stale_notice(touched, commit))
