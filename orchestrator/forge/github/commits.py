"""What is posted on commits: checks, statuses and deployments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from github.CheckRun import CheckRun
from github.GithubObject import NotSet

from orchestrator.forge import model
from orchestrator.forge.github.calls import Calls

# GitHub's limits: annotations in one request, characters of a status' text and of an annotation's title.
_ANNOTATIONS = 50
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

        def find_created() -> CheckRun | None:
            check_runs = self._repo.get_commit(check.head).get_check_runs(check_name=check.name, filter="all")
            newest = max(check_runs, key=lambda check_run: check_run.id, default=None)
            return newest if newest and _is_same(newest, check) else None

        posted = self._ask(doing, "checks: write", request, find_created)
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

        def find_added() -> bool | None:
            url = f"/check-runs/{posted.id}"
            count = self._get("read a check", "checks: read", url)["output"]["annotations_count"]
            return True if count >= total else None

        self._ask(f"annotate the check {check.name}", "checks: write", request, find_added)

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

    def status(self, commit: str, context: str) -> model.StatusState | None:
        """The status that was set last in a context; None where none was."""

        def request() -> str | None:
            newest_first = self._repo.get_commit(commit).get_statuses()
            return next((status.state for status in newest_first if status.context == context), None)

        state = self._ask(f"read the status {context} of {commit[:10]}", "statuses: read", request)
        return cast("model.StatusState | None", state)

    def create_deployment(self, commit: str, environment: str, text: str) -> int:
        """Note that a commit is being deployed; gives the deployment's id."""
        text = _cut(text, TEXT)

        def request() -> int:
            return self._repo.create_deployment(
                commit, auto_merge=False, required_contexts=[], environment=environment, description=text
            ).id

        def find_created() -> int | None:
            deployments = self._repo.get_deployments(sha=commit, environment=environment)
            newest = max(deployments, key=lambda deployment: deployment.id, default=None)
            return newest.id if newest and newest.description == text else None

        return self._ask(f"note a deployment to {environment}", "deployments: write", request, find_created)

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
    starts = range(0, max(1, len(annotations)), _ANNOTATIONS)
    return [tuple(annotations[start : start + _ANNOTATIONS]) for start in starts]


def _output(check: model.NewCheck, annotations: Sequence[model.Annotation]) -> dict[str, Any]:
    """The text of a check as GitHub wants it."""
    output: dict[str, Any] = {"title": check.title, "summary": check.summary}
    if check.text:
        output["text"] = check.text
    if annotations:
        output["annotations"] = [
            {
                "path": annotation.path,
                "start_line": max(1, annotation.line),
                "end_line": max(1, annotation.line),
                "annotation_level": annotation.level,
                "message": annotation.message,
                **({"title": _cut(annotation.title, TITLE)} if annotation.title else {}),
            }
            for annotation in annotations
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
