"""What is posted on commits: checks, statuses and deployments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from github.CheckRun import CheckRun
from github.GithubObject import NotSet

from orchestrator.hosts import model
from orchestrator.hosts.github.calls import Calls

# GitHub's limits: annotations in one request, characters of a status' text and of an annotation's title.
ANNOTATIONS = 50
TEXT = 140
TITLE = 255


class Commits(Calls):
    """Checks, statuses and deployments of a repository."""

    def create_check(self, check: model.NewCheck) -> None:
        """Post a completed check, with all its annotations (they go out fifty at a time)."""
        first, *rest = _batches(check.annotations)
        doing = f"post the check {check.name}"

        def request() -> CheckRun:
            return self._repo.create_check_run(
                check.name,
                check.head,
                details_url=check.url or NotSet,
                status="completed",
                conclusion=check.conclusion,
                output=_output(check, first),
            )

        def found() -> CheckRun | None:
            pages = self._repo.get_commit(check.head).get_check_runs(check_name=check.name, filter="all")
            newest = max(pages, key=lambda one: one.id, default=None)
            return newest if newest and _is_same(newest, check) else None

        posted = self._ask(doing, "checks: write", request, found)
        sent = len(first)
        for batch in rest:
            sent += len(batch)
            self._annotate(posted, check, batch, sent)

    def _annotate(
        self, posted: CheckRun, check: model.NewCheck, batch: Sequence[model.Annotation], total: int
    ) -> None:
        """Add annotations to a check; `total` is how many it has then."""

        def request() -> bool:
            posted.edit(output=_output(check, batch))
            return True

        def found() -> bool | None:
            url = f"/check-runs/{posted.id}"
            count = self._get("read a check", "checks: read", url)["output"]["annotations_count"]
            return True if count >= total else None

        self._ask(f"annotate the check {check.name}", "checks: write", request, found)

    def set_status(
        self, commit: str, context: str, state: model.StatusState, text: str, url: str = ""
    ) -> None:
        """Set a commit status; `text` is cut to 140 characters. The last one set is the one that counts."""
        body = {"state": state, "context": context, "description": _cut(text, TEXT)}
        if url:
            body["target_url"] = url
        # `Commit.create_status` would read the whole commit first.
        path = f"{self._repo.url}/statuses/{commit}"
        self._ask(
            f"set the status {context} on {commit[:10]}",
            "statuses: write",
            lambda: self._requester.requestJsonAndCheck("POST", path, input=body),
        )

    def create_deployment(self, commit: str, environment: str, text: str) -> int:
        """Note that a commit is being deployed; gives the deployment's id."""
        text = _cut(text, TEXT)

        def request() -> int:
            return self._repo.create_deployment(
                commit, auto_merge=False, required_contexts=[], environment=environment, description=text
            ).id

        def found() -> int | None:
            pages = self._repo.get_deployments(sha=commit, environment=environment)
            newest = max(pages, key=lambda one: one.id, default=None)
            return newest.id if newest and newest.description == text else None

        return self._ask(f"note a deployment to {environment}", "deployments: write", request, found)

    def set_deployment(self, id_: int, state: model.DeploymentState, text: str = "", url: str = "") -> None:
        """How a deployment goes; the last one set is the one that counts."""
        deployment = self._repo.get_deployment(id_)
        self._ask(
            "say how a deployment goes",
            "deployments: write",
            lambda: deployment.create_status(
                state, target_url=url or NotSet, description=_cut(text, TEXT) or NotSet
            ),
        )


def _batches(annotations: Sequence[model.Annotation]) -> list[tuple[model.Annotation, ...]]:
    """Annotations as they go out; the first request is made without any too."""
    starts = range(0, max(1, len(annotations)), ANNOTATIONS)
    return [tuple(annotations[start : start + ANNOTATIONS]) for start in starts]


def _output(check: model.NewCheck, annotations: Sequence[model.Annotation]) -> dict[str, Any]:
    """The text of a check as GitHub wants it."""
    output: dict[str, Any] = {"title": check.title, "summary": check.summary}
    if check.text:
        output["text"] = check.text
    if annotations:
        output["annotations"] = [
            {
                "path": one.path,
                "start_line": max(1, one.line),
                "end_line": max(1, one.line),
                "annotation_level": one.level,
                "message": one.message,
                **({"title": _cut(one.title, TITLE)} if one.title else {}),
            }
            for one in annotations
        ]
    return output


def _is_same(posted: CheckRun, check: model.NewCheck) -> bool:
    """Whether a check is the one that was to be posted."""
    return (
        posted.conclusion == check.conclusion
        and posted.output.title == check.title
        and posted.output.summary == check.summary
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
