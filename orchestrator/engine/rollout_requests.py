"""What somebody asks of a rollout beside what trunk says: in a comment, or in an input of the workflow."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.config.reason import clean_reason
from orchestrator.engine.rollout_options import NO_CHOICES, ResumeChoices, RolloutOptions
from orchestrator.errors import UsageError
from orchestrator.repository.model import Project

# Characters of a command in a comment, and of an input of the workflow, which says by whom it was asked too.
LONGEST, LONGEST_INPUT = 300, 1_000
CHOICES = ("--forget", "--replace")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True)
class ResumeRequest:
    """To finish the interrupted apply of a stack, with what somebody chose about objects in no state."""

    stack: str
    choices: ResumeChoices = NO_CHOICES

    def __str__(self) -> str:
        words = [self.stack]
        for flag, addresses in zip(CHOICES, (self.choices.forget, self.choices.replaces), strict=True):
            for address in addresses:
                words += [flag, address]
        return shlex.join(words)


@dataclass(frozen=True)
class ForgetRequest:
    """To give up the state of a stack, which is gone for good, and create everything again."""

    stack: str
    reason: str

    def __str__(self) -> str:
        return shlex.join((self.stack, self.reason))


@dataclass(frozen=True)
class RolloutRequests:
    """All that is asked of one rollout. `over` are applied commits that trunk does not have."""

    resume: ResumeRequest | None = None
    forget: ForgetRequest | None = None
    over: tuple[str, ...] = ()

    @property
    def options(self) -> RolloutOptions:
        """The same as options of the run."""
        choices = {self.resume.stack: self.resume.choices} if self.resume else {}
        forgotten = {self.forget.stack: self.forget.reason} if self.forget else {}
        return RolloutOptions(choices, forgotten, self.over)

    @property
    def stacks(self) -> frozenset[str]:
        """The stacks that are named."""
        return frozenset(request.stack for request in (self.resume, self.forget) if request)

    def require(self, project: Project, environment: str) -> None:
        """Raise UsageError for a stack that the environment does not have."""
        ids = {stack.id for stack in project.of(environment)}
        for stack in sorted(self.stacks - ids):
            raise UsageError(
                f"{environment} has no stack {stack!r}.", advice="`infra list` shows the stacks of trunk."
            )


NO_REQUESTS = RolloutRequests()


def parse_requests(resume: str, forget: str, supersede: str) -> RolloutRequests:
    """The requests in three texts, each empty where it asks for nothing; UsageError for what is none."""
    return RolloutRequests(
        parse_resume_request(split_words(resume, LONGEST_INPUT)) if resume else None,
        parse_forget_request(split_words(forget, LONGEST_INPUT)) if forget else None,
        parse_superseded_commits(supersede),
    )


def split_words(line: str, longest: int = LONGEST) -> list[str]:
    """The words of a line, as a shell reads them; UsageError for one that is too long or not closed."""
    if len(line) > longest:
        raise UsageError("The command is too long.")
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError("A quotation mark is not closed.") from error


def parse_resume_request(words: Sequence[str]) -> ResumeRequest:
    """`STACK [--forget ADDRESS]… [--replace ADDRESS]…`; UsageError for anything else."""
    match words:
        case [stack, *rest] if not stack.startswith("-"):
            pairs = list(zip(rest[::2], rest[1::2], strict=False))
            if len(rest) == 2 * len(pairs) and all(
                flag in CHOICES and address and not address.startswith("-") for flag, address in pairs
            ):
                forget, replaces = (
                    tuple(dict.fromkeys(address for flag, address in pairs if flag == choice))
                    for choice in CHOICES
                )
                return ResumeRequest(stack, ResumeChoices(forget, replaces))
    raise UsageError(
        "Say which stack: `/infra resume STACK`, and which objects: `--forget ADDRESS`, `--replace ADDRESS`.",
        advice="An address with brackets and quotes stands in single quotes.",
    )


def parse_forget_request(words: Sequence[str]) -> ForgetRequest:
    """`STACK REASON…`; UsageError for anything else, and for a reason that says nothing."""
    try:
        match words:
            case [stack, *rest] if not stack.startswith("-"):
                return ForgetRequest(stack, clean_reason(" ".join(rest)))
    except ValueError:
        pass
    raise UsageError("Say which stack, and why: `/infra forget STACK REASON`.")


def parse_superseded_commits(text: str) -> tuple[str, ...]:
    """The commits of `--supersede`, at least seven digits each; UsageError for what is none."""
    commits = tuple(text.split())
    for commit in commits:
        if not _COMMIT.fullmatch(commit):
            raise UsageError(
                f"{commit[:LONGEST]!r} is no commit.", advice="The comment about the skipped stack names it."
            )
    return commits
