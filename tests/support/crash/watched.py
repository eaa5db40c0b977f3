"""A cloud that counts what passes it, step by step, and calls somebody at one of the steps."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.sandbox.faults import HttpFault, HttpFaults
from orchestrator.sandbox.gcs.admin import RequestLog, ServedRequest
from orchestrator.sandbox.gcs.buckets import Clock
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.sandbox.provider.server import ProviderServer
from orchestrator.sandbox.schemas import RecordedSchemas
from orchestrator.sandbox.world import World, WorldObject
from orchestrator.sandbox.world.stored import AlreadyExistsError

BUCKET = "states"
TYPES = ("google_pubsub_topic", "google_compute_network", "google_compute_subnetwork")

# What a path of the bucket means, the first that fits; runs and numbers differ from round to round.
_NAMES = (
    (r"/o/dev/state/(?P<stack>[^/]+)/default\.tfstate$", "state"),
    (r"/o/dev/state/(?P<stack>[^/]+)/default\.tflock$", "lock"),
    (r"/o/dev/ledger/stacks/(?P<stack>[^/]+)\.json$", "entry"),
    (r"/o/dev/ledger/journal/[^/]+/(?P<stack>[^/]+)/", "journal"),
    (r"/o/dev/ledger/rescue/[^/]+/(?P<stack>[^/]+)/", "rescued"),
    (r"/o/dev/ledger/runs/", "run record"),
    # A write whose name is in its body, as infra's are.
    (r"/o/?$", "ledger"),
)


@dataclass(frozen=True)
class CloudStep:
    """One thing that an apply does to the cloud: the `nth` of its name, before it is done or after."""

    name: str
    nth: int

    def __str__(self) -> str:
        return self.name if self.nth == 1 else f"{self.name} #{self.nth}"


def step_name(when: str, method: str, path: str) -> str:
    """A request in words that are the same in every round: `after POST state of net`."""
    for pattern, what in _NAMES:
        match = re.search(pattern, path)
        if match:
            stack = match.groupdict().get("stack")
            return f"{when} {method} {what}{f' of {stack}' if stack else ''}"
    return f"{when} {method} bucket"


@dataclass
class Trigger:
    """Counts steps while it is armed, and acts once, at the step `at` (None: it only counts).

    With `cuts` what it acts before is never done: the request was lost with whoever sent it. `countdown` is
    the number of steps, whatever their names, after which it acts as well.
    """

    at: CloudStep | None = None
    act: Callable[[], None] = lambda: None
    cuts: bool = True
    steps: list[CloudStep] = field(default_factory=list)
    struck: bool = False
    armed: bool = True
    countdown: int | None = None
    _seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def passes(self, name: str) -> bool:
        """A step is passed; true when it was the one to act at, and the act is done."""
        with self._lock:
            if not self.armed:
                return False
            self._seen[name] += 1
            step = CloudStep(name, self._seen[name])
            self.steps.append(step)
            if self.countdown is not None:
                self.countdown -= 1
            if self.struck or not (step == self.at or self.countdown == 0):
                return False
            self.struck = True
            # Under the lock: nothing else goes on in the cloud until it is done.
            self.act()
            return True

    def rearm(self, countdown: int) -> None:
        """Act once more, after so many steps."""
        with self._lock:
            self.armed, self.struck, self.countdown = True, False, countdown

    def disarm(self) -> None:
        """No step counts any more; an act that has begun is done when this returns."""
        with self._lock:
            self.armed = False


class _WatchedFaults(HttpFaults):
    """Faults, and the steps before requests."""

    def __init__(self, trigger: Trigger) -> None:
        super().__init__()
        self._trigger = trigger

    def strike(self, method: str, path: str, account: str = "") -> HttpFault | None:
        if self._trigger.passes(step_name("before", method, path)) and self._trigger.cuts:
            return HttpFault(cut="before")
        return super().strike(method, path, account)


class _WatchedLog(RequestLog):
    """The request log, and the steps after requests that changed something, before anybody is told."""

    def __init__(self, trigger: Trigger) -> None:
        super().__init__()
        self._trigger = trigger

    def add(self, entry: ServedRequest) -> None:
        super().add(entry)
        if entry.method != "GET" and entry.status:
            self._trigger.passes(step_name("after", entry.method, entry.path))


class WatchedBucket(GcsServer):
    """A Cloud Storage server whose requests are steps."""

    def __init__(self, folder: Path, trigger: Trigger, clock: Clock) -> None:
        super().__init__(folder, clock=clock)
        self._hub.faults = _WatchedFaults(trigger)
        self._hub.log = _WatchedLog(trigger)


@dataclass
class Effects:
    """What was done to a world: how often each object was made, and what was refused as made twice."""

    created: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, name: str) -> None:
        """Count one."""
        with self._lock:
            if kind in ("created", "changed"):
                getattr(self, kind)[name] += 1
            else:
                getattr(self, kind).append(name)


class WatchedWorld(World):
    """A world whose changes are steps; `slow` is called before each, once somebody was killed."""

    def __init__(self, root: Path, trigger: Trigger, effects: Effects, slow: Callable[[], object]) -> None:
        super().__init__(root)
        self._trigger = trigger
        self._effects = effects
        self._slow = slow

    def create(self, provider: str, type_: str, object_id: str, attributes: dict[str, Any]) -> WorldObject:
        name = f"{type_}/{object_id}"
        self._before("create", name)
        try:
            object_ = super().create(provider, type_, object_id, attributes)
        except AlreadyExistsError:
            self._effects.note("refused", name)
            raise
        self._effects.note("created", name)
        self._after("create", name)
        return object_

    def update(self, type_: str, object_id: str, attributes: dict[str, Any]) -> WorldObject:
        name = f"{type_}/{object_id}"
        self._before("update", name)
        before = self.find(type_, object_id)
        object_ = super().update(type_, object_id, attributes)
        same = before is not None and before.attributes == object_.attributes
        self._effects.note("idle" if same else "changed", name)
        self._after("update", name)
        return object_

    def remove(self, type_: str, object_id: str, attributes: dict[str, Any] | None = None) -> None:
        name = f"{type_}/{object_id}"
        self._before("delete", name)
        super().remove(type_, object_id, attributes)
        self._after("delete", name)

    def _before(self, what: str, name: str) -> None:
        self._slow()
        if self._trigger.passes(f"before {what} {name.rsplit('/', 1)[-1]}") and self._trigger.cuts:
            raise ConnectionResetError("the request was lost")

    def _after(self, what: str, name: str) -> None:
        self._trigger.passes(f"after {what} {name.rsplit('/', 1)[-1]}")


class WatchedProviders(ProviderServer):
    """Simulated providers whose worlds are watched; `watch` opens one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, RecordedSchemas())
        self._watched: dict[str, WatchedWorld] = {}
        self._root = folder

    def watch(
        self, name: str, trigger: Trigger, effects: Effects, slow: Callable[[], object]
    ) -> Mapping[str, int]:
        """Open a world; the ports of its providers."""
        self._watched[name] = WatchedWorld(self._root / name, trigger, effects, slow)
        return self.open(name)

    def world(self, name: str) -> World:
        return self._watched[name]
