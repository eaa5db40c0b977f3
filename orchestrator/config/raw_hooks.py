"""The pydantic models of the hooks of an environment or a stack."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from orchestrator.config.fields import Section, Text, Timeout, Variable
from orchestrator.config.hooks import Hook, Hooks
from orchestrator.job_tokens import REQUESTS


def _passable(name: str) -> str:
    if name.startswith(REQUESTS):
        raise ValueError("cannot be passed: with it a program makes tokens in the job's name")
    return name


HookVariable = Annotated[Variable, AfterValidator(_passable)]
Argv = Annotated[tuple[Text, ...], Field(min_length=1)]


class RawHook(Section):
    """A program of trunk."""

    name: Text | None = Field(None, examples=["change window"])
    """What to call it; by default its command."""
    command: Argv = Field(examples=[["bin/change-window", "--strict"]])
    """The program and its arguments, without a shell; it must exit with 0. Paths are from the repository's
    root, and mean the files of trunk."""
    env: tuple[HookVariable, ...] = Field((), examples=[["CHAT_TOKEN"]])
    """Names of environment variables that it gets; never values."""
    timeout: Timeout = Field(300.0, examples=["2m"])
    """How long it may take."""

    def hook(self) -> Hook:
        """The hook with its name."""
        return Hook(self.name or " ".join(self.command), self.command, self.env, self.timeout)


class RawReportHook(Section):
    """A program that prints Markdown for the comment on a pull request."""

    name: Text | None = Field(None, examples=["cost"])
    """What to call it; by default its command."""
    command: Argv = Field(examples=[["bin/cost"]])
    """The program and its arguments, without a shell; it must exit with 0. Paths are from the root of the
    files that `code` names."""
    code: Literal["base", "head"] = "base"
    """Whose files it runs with: trunk's, or those of the pull request."""
    timeout: Timeout = Field(300.0, examples=["2m"])
    """How long it may take."""

    def hook(self) -> Hook:
        """The hook with its name."""
        name = self.name or " ".join(self.command)
        return Hook(name, self.command, timeout=self.timeout, code=self.code)


class RawHooks(Section):
    """Programs that run at certain points. Read from trunk, never from the branch under review."""

    before_plan: tuple[RawHook, ...] = ()
    """Before the environment's first plan of a run, or before a stack's. One that fails stops the plan."""
    after_apply: tuple[RawHook, ...] = ()
    """After stacks were applied or destroyed. One that fails undoes nothing, and the run exits with 1."""
    report: tuple[RawReportHook, ...] = ()
    """For the comment on a pull request, in a job without any account."""

    @model_validator(mode="after")
    def _distinct(self) -> RawHooks:
        for hooks in (self.before_plan, self.after_apply, self.report):
            names = [hook.hook().name for hook in hooks]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"has two hooks called {twice!r}: give each a `name` of its own")
        return self

    def hooks(self) -> Hooks:
        """All of them, with their names."""
        return Hooks(
            tuple(hook.hook() for hook in self.before_plan),
            tuple(hook.hook() for hook in self.after_apply),
            tuple(hook.hook() for hook in self.report),
        )
