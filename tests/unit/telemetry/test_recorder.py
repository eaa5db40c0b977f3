"""The spans of a run, from what happened in it."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.engine.origin import Origin
from orchestrator.process import Command, Completed
from orchestrator.report.model import RunInfo, StackReport
from orchestrator.telemetry.recorder import RunRecorder
from orchestrator.telemetry.spans import Span, TraceParent

INFO = RunInfo("R1", "ci", "c" * 40, "2026-11-30T12:00:00Z", 0.0)
ORIGIN = Origin("ada", "desk", is_ci=True, link="https://ci.example/1", pull_request="#12")
NOON = 1_796_040_000
PLAN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class SteppedClock:
    """Nanoseconds since 1970 that go on when told."""

    def __init__(self) -> None:
        self.seconds = float(NOON)

    def __call__(self) -> int:
        return int(self.seconds * 1e9)


def _recorder(clock: SteppedClock, parent: TraceParent | None = None) -> RunRecorder:
    return RunRecorder(lambda text: text.replace("hunter2", "***"), parent, clock)


def _span(recorder: RunRecorder, **more: object) -> Span:
    return recorder.span(INFO, ORIGIN, "apply", lambda stack: stack.partition("/")[0], **more)  # type: ignore[arg-type]


def _command(title: str, folder: Path | None = None) -> Command:
    return Command(("terraform", "apply"), Path(), {}, files=folder, stdout_name="journal.jsonl", title=title)


def _event(seconds: float, kind: str, address: str) -> str:
    hook = {"resource": {"addr": address, "resource_type": "google_x"}, "action": "create"}
    moment = f"2026-11-30T12:00:{seconds:09.6f}Z"
    return json.dumps({"@timestamp": moment, "type": kind, "hook": hook})


def test_a_run_has_environments_stacks_commands_and_resources(tmp_path: Path) -> None:
    clock = SteppedClock()
    recorder = _recorder(clock)
    journal = [
        _event(11, "apply_start", 'google_x.a["hunter2"]'),
        _event(12, "apply_complete", 'google_x.a["hunter2"]'),
        _event(12, "apply_start", "google_x.b"),
        _event(13, "apply_errored", "google_x.b"),
        '{"torn',
    ]
    clock.seconds += 10
    recorder.began("dev/net")
    clock.seconds += 4
    recorder.trace(
        _command("apply of dev/net", tmp_path),
        Completed(("terraform",), 1, "\n".join(journal).encode(), b"", 4.0),
    )
    clock.seconds += 2
    recorder.step("dev/net", "approve", 1.5, "MismatchError")
    recorder.ended(StackReport("dev/net", "dev", "failed", reason="google_x.b: quota"))
    recorder.ended(StackReport("prod/net", "prod", "skipped"))
    run = _span(recorder)

    assert (run.name, run.seconds, run.error) == ("RUN infra apply", 16.0, "failed")
    assert run.attributes["cicd.pipeline.result"] == "failure"
    assert run.attributes["vcs.change.id"] == "12"
    assert [span.name for span in run.children] == ["environment dev", "environment prod"]
    (stack,) = run.children[0].children
    assert (stack.error, stack.attributes["cicd.pipeline.task.run.result"]) == ("failed", "failure")
    assert [log.text for log in stack.logs] == ["dev/net: failed (google_x.b: quota)"]
    step, approval = stack.children
    assert (approval.name, approval.error, approval.seconds) == ("approve", "MismatchError", 1.5)
    assert (step.name, step.error, step.seconds) == ("terraform apply", "command_failed", 4.0)
    created, errored = step.children
    assert created.attributes["infra.resource.address"] == 'google_x.a["…"]'
    assert (created.name, created.seconds, created.error) == ("create google_x", 1.0, "")
    assert errored.error == "failed"
    assert not run.children[1].error, "what was skipped has not failed"


def test_how_a_run_ended() -> None:
    assert _span(_recorder(SteppedClock())).attributes["cicd.pipeline.result"] == "success"
    broken = _span(_recorder(SteppedClock()), error="StateError")
    assert (broken.attributes["cicd.pipeline.result"], broken.error) == ("error", "StateError")
    stopped = _span(_recorder(SteppedClock()), is_interrupted=True)
    assert stopped.attributes["cicd.pipeline.result"] == "cancellation"


def test_it_is_a_part_of_its_parents_trace_and_links_what_was_planned() -> None:
    parent = TraceParent.parse(PLAN)
    recorder = _recorder(SteppedClock(), parent)
    assert parent is not None
    assert recorder.traceparent.startswith(f"00-{parent.trace_id}-")
    assert recorder.own.span_id != parent.span_id
    recorder.link(PLAN)
    recorder.link(PLAN)
    recorder.link("")
    assert _span(recorder).links == (parent,)
