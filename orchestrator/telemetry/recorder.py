"""Notes what happens in a run while it happens, and makes its spans at the end."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.engine.origin import Origin
from orchestrator.engine.ports import FinishedItem, Progress
from orchestrator.jsontext import mapping, read_object
from orchestrator.process import Command, Completed
from orchestrator.report.model import RunInfo
from orchestrator.telemetry.spans import AttributeValue, Severity, Span, SpanLog, TraceParent

# How a stack's result is called by the conventions; what is not listed went well.
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/cicd/
_TASK_RESULTS: Mapping[str, str] = {
    **dict.fromkeys(("failed", "mismatch", "blocked", "locked", "unchecked"), "failure"),
    **dict.fromkeys(("interrupted", "aborted"), "cancellation"),
    **dict.fromkeys(("skipped", "waiting"), "skip"),
}
# Keys of `for_each`: the only place where people see a secret that is one.
_KEY = re.compile(r'\["(?:[^"\\]|\\.)*"\]')
_RESOURCE_ENDS = {"apply_complete": "", "apply_errored": "failed"}


@dataclass(frozen=True)
class _Step:
    """One command of Terraform for a stack, or with `exit_code` None a step of infra itself."""

    name: str
    start: int
    end: int
    exit_code: int | None = None
    error: str = ""
    resources: tuple[Span, ...] = ()

    def span(self) -> Span:
        if self.exit_code is None:
            return Span(self.name, self.start, self.end, {}, self.error)
        failed = "" if self.exit_code in (0, 2) else "command_failed"
        attributes: dict[str, AttributeValue] = {"process.exit.code": self.exit_code}
        return Span(f"terraform {self.name}", self.start, self.end, attributes, failed, self.resources)


@dataclass
class _Task:
    """What is known of a stack; `end` is 0 until it has ended."""

    start: int
    end: int = 0
    result: str = ""
    reason: str = ""
    steps: list[_Step] = field(default_factory=list)


@dataclass(frozen=True)
class _RecordingProgress:
    """A progress that also says when each stack began and ended."""

    inner: Progress
    recorder: RunRecorder

    def begin(self, stacks: Sequence[str]) -> None:
        """See `Progress`."""
        self.inner.begin(stacks)

    def doing(self, stack: str, text: str) -> None:
        """See `Progress`."""
        self.recorder.began(stack)
        self.inner.doing(stack, text)

    def done(self, report: FinishedItem) -> None:
        """See `Progress`."""
        self.recorder.ended(report)
        self.inner.done(report)

    def end(self) -> None:
        """See `Progress`."""
        self.inner.end()


class RunRecorder:
    """Notes of one run; safe from many threads.

    `mask` hides secrets in addresses. `parent` is the span that this run is a part of. `clock` gives
    nanoseconds since 1970.
    """

    def __init__(
        self,
        mask: Callable[[str], str],
        parent: TraceParent | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.parent = parent
        self.own = TraceParent(
            parent.trace_id if parent else secrets.token_hex(16),
            secrets.token_hex(8),
            parent.is_sampled if parent else True,
        )
        self._mask = mask
        self._clock = clock
        self._start = clock()
        self._lock = threading.Lock()
        self._tasks: dict[str, _Task] = {}
        self._links: dict[TraceParent, None] = {}

    @property
    def traceparent(self) -> str:
        """Names the run's span to children, to the plan's object and to the run's record."""
        return str(self.own)

    def recording(self, progress: Progress) -> Progress:
        """The progress, which also tells this recorder; its texts must be masked."""
        return _RecordingProgress(progress, self)

    def began(self, stack: str) -> None:
        """Note that a stack has begun, unless that is known."""
        with self._lock:
            self._tasks.setdefault(stack, _Task(self._clock()))

    def ended(self, report: FinishedItem) -> None:
        """Note how a stack has ended; after an apply that replaces what was noted of its plan."""
        now = self._clock()
        with self._lock:
            task = self._tasks.setdefault(report.id, _Task(max(self._start, now - _ns(report.seconds))))
            task.end, task.result, task.reason = now, report.result, report.reason

    def trace(self, command: Command, done: Completed) -> None:
        """Note a command of Terraform that has ended, with the resources in its journal."""
        name, _, stack = command.title.partition(" of ")
        if not stack:
            return
        end = self._clock()
        start = max(self._start, end - _ns(done.seconds))
        resources = tuple(self._resources(done.stdout.splitlines())) if command.changes_state else ()
        with self._lock:
            task = self._tasks.setdefault(stack, _Task(start))
            task.start = min(task.start, start)
            task.steps.append(_Step(name, start, end, done.returncode, resources=resources))

    def step(self, stack: str, name: str, seconds: float, error: str) -> None:
        """Note a step of infra itself that has ended: the policy, the approval."""
        end = self._clock()
        start = max(self._start, end - _ns(seconds))
        with self._lock:
            task = self._tasks.setdefault(stack, _Task(start))
            task.steps.append(_Step(name, start, end, error=error))

    def link(self, traceparent: str) -> None:
        """Note that this run applies what the run of another trace has planned."""
        parent = TraceParent.parse(traceparent)
        if parent is not None:
            with self._lock:
                self._links[parent] = None

    def span(
        self,
        info: RunInfo,
        origin: Origin,
        command: str,
        environment_of: Callable[[str], str],
        *,
        error: str = "",
        is_interrupted: bool = False,
        repository: str = "",
    ) -> Span:
        """The run's span with all below it, by the conventions for CI/CD.

        `error` is the class of the error that ended the run; `repository` is `OWNER/NAME`, empty where it is
        not known.
        """
        now = self._clock()
        with self._lock:
            tasks = dict(self._tasks)
        by_environment: dict[str, list[Span]] = {}
        failures = []
        for stack, task in sorted(tasks.items()):
            span = _task_span(stack, task, info.id, now)
            by_environment.setdefault(environment_of(stack), []).append(span)
            if _TASK_RESULTS.get(task.result) == "failure":
                failures.append(task.result)
        ended_by = "cancellation" if is_interrupted else "error" if error else ""
        result = ended_by or ("failure" if failures else "success")
        owner, _, name = repository.partition("/")
        attributes: dict[str, AttributeValue] = {
            "cicd.pipeline.name": f"infra {command}",
            "cicd.pipeline.run.id": info.id,
            "cicd.pipeline.run.url.full": origin.link,
            "cicd.pipeline.result": result,
            "vcs.ref.head.revision": info.commit,
            "vcs.change.id": origin.pull_request.removeprefix("#"),
            "vcs.owner.name": owner if name else "",
            "vcs.repository.name": name,
        }
        return Span(
            f"RUN infra {command}",
            self._start,
            now,
            {key: value for key, value in attributes.items() if value != ""},
            error or (failures[0] if failures and not is_interrupted else ""),
            tuple(_environment_span(name, spans) for name, spans in sorted(by_environment.items())),
            tuple(self._links),
        )

    def _resources(self, lines: Iterable[bytes]) -> Iterable[Span]:
        """The resources that an apply changed, by its journal."""
        begun: dict[str, int] = {}
        for line in lines:
            try:
                event = read_object(line)
                moment = _ns(datetime.fromisoformat(str(event.get("@timestamp"))).timestamp())
            except ValueError:
                continue
            hook = mapping(event.get("hook"))
            resource = mapping(hook.get("resource"))
            address = str(resource.get("addr", ""))
            kind = str(event.get("type"))
            if kind == "apply_start":
                begun[address] = moment
            elif kind in _RESOURCE_ENDS and address in begun:
                attributes: dict[str, AttributeValue] = {
                    "infra.resource.address": _KEY.sub('["…"]', self._mask(address)),
                    "infra.resource.type": str(resource.get("resource_type", "")),
                }
                name = f"{hook.get('action', 'change')} {resource.get('resource_type', '')}".strip()
                yield Span(name, begun.pop(address), moment, attributes, _RESOURCE_ENDS[kind])


def _environment_span(environment: str, stacks: Sequence[Span]) -> Span:
    return Span(
        f"environment {environment}",
        min(span.start for span in stacks),
        max(span.end for span in stacks),
        {"deployment.environment.name": environment},
        next((span.error for span in stacks if span.error), ""),
        tuple(stacks),
    )


def _task_span(stack: str, task: _Task, run: str, now: int) -> Span:
    steps = sorted(task.steps, key=lambda step: step.start)
    end = max([task.end or now, *(step.end for step in steps)])
    result = _TASK_RESULTS.get(task.result, "success")
    severity: Severity = "ERROR" if result == "failure" else "INFO"
    text = f"{stack}: {task.result or 'not finished'}" + (f" ({task.reason})" if task.reason else "")
    return Span(
        stack,
        task.start,
        end,
        {
            "cicd.pipeline.task.name": stack,
            "cicd.pipeline.task.type": "deploy",
            "cicd.pipeline.task.run.id": f"{run}/{stack}",
            "cicd.pipeline.task.run.result": result,
            "infra.stack.result": task.result or "not finished",
        },
        task.result if result == "failure" else "",
        tuple(step.span() for step in steps),
        logs=(SpanLog(end, severity, text),),
    )


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
