"""Every failure a user can meet: its exit code, and what to do next.

Exit codes are a contract (README, "Exit codes"): each class owns one, and `exit_code_of` picks the code of
a run in which several things went wrong.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from enum import IntEnum


class Exit(IntEnum):
    """What `infra` can return to its caller."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    USAGE = 3
    BLOCKED = 4
    MISMATCH = 5
    LOCKED = 6
    PARTIAL = 7
    DRIFT = 8
    INTERRUPTED = 130


# The first of these that holds for any stack is the run's code.
PRECEDENCE = (
    Exit.USAGE,
    Exit.PARTIAL,
    Exit.ERROR,
    Exit.MISMATCH,
    Exit.BLOCKED,
    Exit.LOCKED,
    Exit.DRIFT,
    Exit.CHANGES,
    Exit.OK,
)


def exit_code_of(codes: Iterable[int]) -> int:
    """The code of a run whose parts ended with `codes`: the most serious one, 0 when there are none."""
    present = set(codes)
    return next((int(code) for code in PRECEDENCE if code in present), int(Exit.OK))


class InfraError(Exception):
    """A failure that is reported to the user without a traceback.

    `message` says what is wrong, `advice` what to do next. `file` (as the user would write it), `line`
    (1-based) and `key` (a dotted path in infra.yaml) say where, `stack` is a stack id.
    """

    exit_code: Exit = Exit.ERROR

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        file: str | None = None,
        line: int | None = None,
        key: str | None = None,
        stack: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.file = file
        self.line = line
        self.key = key
        self.stack = stack

    @property
    def location(self) -> str:
        """`file:line` as far as it is known, else an empty string."""
        if not self.file:
            return ""
        return f"{self.file}:{self.line}" if self.line else self.file


class UsageError(InfraError):
    """The command line does not make sense."""

    exit_code = Exit.USAGE


class ConfigError(InfraError):
    """infra.yaml is wrong. Several mistakes are one error: `others` has those after the first."""

    exit_code = Exit.USAGE

    def __init__(self, message: str, *, errors: tuple[ConfigError, ...] = (), **where: object) -> None:
        super().__init__(message, **where)  # type: ignore[arg-type]
        self.others = errors


class ProjectError(InfraError):
    """The repository's layout or its HCL is wrong: a cycle, a file that does not parse, two equal ids."""

    exit_code = Exit.USAGE


class GitError(InfraError):
    """Git says no: not a repository, an unknown revision, a shallow clone without the base."""

    exit_code = Exit.USAGE


class BinaryError(InfraError):
    """There is no usable Terraform, or the one found does not fit the version requested."""

    exit_code = Exit.USAGE


class ProcessError(InfraError):
    """A program could not be started, or outlived its deadline."""


class TerraformError(InfraError):
    """Terraform failed; its diagnostics say why.

    `diagnostics` are dictionaries of Terraform's own shape: severity, summary, detail, address, range.
    """

    def __init__(self, message: str, *, diagnostics: tuple[object, ...] = (), **where: object) -> None:
        super().__init__(message, **where)  # type: ignore[arg-type]
        self.diagnostics = diagnostics


class HookError(InfraError):
    """A hook failed or could not be run."""


class PlanFileError(InfraError):
    """A saved plan cannot be used: unreadable, of another version, or made in a shadow of the root."""


class UnprovenPlanError(PlanFileError):
    """A saved plan that only Terraform itself can read; the message says why."""


class StateError(InfraError):
    """The state cannot be read or written: no bucket, no right, a version newer than Terraform's."""


class BucketMissingError(StateError):
    """A bucket that does not exist."""


class ForbiddenError(StateError):
    """The account lacks a right on the bucket or on a folder of it; the advice names the missing grant."""


class OwnershipError(InfraError):
    """The memory in the bucket is another repository's, or whose it is cannot be known."""

    exit_code = Exit.USAGE


class NewerMarkerError(OwnershipError):
    """The marker of a memory was written by a newer infra."""


class ForgeError(InfraError):
    """GitHub says no, or cannot be reached. `status` is the HTTP status, 0 when there was no answer."""

    def __init__(self, message: str, *, status: int = 0, **where: object) -> None:
        super().__init__(message, **where)  # type: ignore[arg-type]
        self.status = status


class AuthorsUnknownError(ForgeError):
    """Who wrote a pull request cannot be told, so no approval of it can count."""


class PolicyError(InfraError):
    """Rules cannot be evaluated: their Rego is wrong, or the engine is missing. That is never a pass."""


class BlockedError(InfraError):
    """A rule forbids it, or consent was not given."""

    exit_code = Exit.BLOCKED


class MismatchError(InfraError):
    """What would be applied is not what was kept or approved."""

    exit_code = Exit.MISMATCH


class SupersededError(InfraError):
    """What the ledger has is newer than what this run would apply."""


class LockedError(InfraError):
    """Somebody else holds the state's lock."""

    exit_code = Exit.LOCKED


class PartialError(InfraError):
    """Something was applied and the rest was not, or nobody knows."""

    exit_code = Exit.PARTIAL


class InterruptedRunError(InfraError):
    """Ctrl-C before anything changed."""

    exit_code = Exit.INTERRUPTED


class FileError(InfraError):
    """This machine does not let us read or write a file: no space, no right, a read-only system."""

    @classmethod
    def of(cls, error: OSError, *, stack: str | None = None) -> FileError:
        """The error for what the operating system said."""
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        reason = error.strerror or str(error) or type(error).__name__
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return cls(
                f"The disk is full: {where}{reason}.",
                advice="Make room, then run the same command again; `.infra/cache` may be deleted.",
                stack=stack,
            )
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            advice = "infra keeps its working files in .infra: make it writable for this user."
        elif error.errno in (errno.EMFILE, errno.ENFILE):
            advice = "Raise the limit of open files (`ulimit -n`), or use a smaller --parallelism."
        else:
            advice = "Look at the file and its folder, then run the same command again."
        return cls(f"{where}{reason}.", advice=advice, stack=stack)


class DatasetError(InfraError):
    """The dataset of `infra query` cannot be read or written."""


class QueryError(InfraError):
    """A query that could not be finished: it took too long, or its result is too large."""


class NestingError(InfraError):
    """Something that was read is nested too deeply to be understood."""

    def __init__(self) -> None:
        super().__init__(
            "Something that was read is nested too deeply.",
            advice="`infra --debug …` shows which file or answer it was.",
        )


def known_error(error: Exception) -> InfraError:
    """An exception of Python's own that says something about this machine or an input, as ours."""
    if isinstance(error, InfraError):
        return error
    if isinstance(error, OSError):
        return FileError.of(error)
    if isinstance(error, RecursionError):
        return NestingError()
    raise error


class SandboxError(InfraError):
    """The sandbox cannot start, is not running, or lacks what was asked of it."""
