"""The hooks of an environment or a stack: programs of trunk before a plan, after an apply, for a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from orchestrator.config.model import Config

HookEvent = Literal["before_plan", "after_apply", "report"]
EVENTS: tuple[HookEvent, ...] = ("before_plan", "after_apply", "report")


@dataclass(frozen=True)
class Hook:
    """A program that must exit with 0 within `timeout` seconds.

    `env` are the names of variables that it gets besides the plain ones. `code` says whose files it runs
    with: those of trunk, or for a report those of the change.
    """

    name: str
    command: tuple[str, ...]
    env: tuple[str, ...] = ()
    timeout: float = 300.0
    code: Literal["base", "head"] = "base"


@dataclass(frozen=True)
class Hooks:
    """The hooks of one environment, which run once for it, or of one stack, in their order."""

    before_plan: tuple[Hook, ...] = ()
    after_apply: tuple[Hook, ...] = ()
    report: tuple[Hook, ...] = ()

    def of(self, event: HookEvent) -> tuple[Hook, ...]:
        """The hooks of one event."""
        hooks: Mapping[HookEvent, tuple[Hook, ...]] = {
            "before_plan": self.before_plan,
            "after_apply": self.after_apply,
            "report": self.report,
        }
        return hooks[event]


NO_HOOKS = Hooks()


@dataclass(frozen=True)
class HookOwner:
    """What hooks belong to: an environment, or one of its stacks."""

    environment: str
    stack: str = ""
    hooks: Hooks = field(default=NO_HOOKS, compare=False)

    @property
    def label(self) -> str:
        """The stack, or the environment where there is none."""
        return self.stack or self.environment


def changed_hooks(head: Config, base: Config) -> tuple[str, ...]:
    """The keys of infra.yaml whose hooks differ from the base's, whose hooks run until the merge."""
    keys = []
    for section, here, there in (
        ("environments", head.environments, base.environments),
        ("stacks", head.stacks, base.stacks),
    ):
        for name in dict.fromkeys((*here, *there)):
            now, before = (of[name].hooks if name in of else NO_HOOKS for of in (here, there))
            keys += [
                f"{section}.{name}.hooks.{event}" for event in EVENTS if now.of(event) != before.of(event)
            ]
    return tuple(keys)
