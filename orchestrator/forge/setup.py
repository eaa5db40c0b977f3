"""What a repository needs on its forge before infra can run there: changes, and how they are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, Self

Method = Literal["PUT", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True)
class SettingsRequest:
    """One request of the forge's API; `path` is below the repository."""

    method: Method
    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class SettingChange:
    """A change as people read it, the permission that it needs, and its requests in order."""

    text: str
    needs: str
    requests: tuple[SettingsRequest, ...]


@dataclass(frozen=True)
class SetupPlan:
    """The changes in the order in which to make them, and what they leave to people."""

    changes: tuple[SettingChange, ...]
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class SetupRequest:
    """What a repository is to have. `gates` are environments whose unapproved changes wait for `reviewers`.

    `reviewers` are logins and teams (`ORGANIZATION/TEAM`). `provider` is the workload identity provider,
    empty where it is unknown: then what names it stays.
    """

    trunk: str
    environments: Sequence[str]
    gates: Sequence[str] = ()
    reviewers: Sequence[str] = ()
    provider: str = ""


class SetupForge(Protocol):
    """A repository on a forge with the rights of an administrator. Each method raises ForgeError."""

    @property
    def repository(self) -> str:
        """`OWNER/NAME`."""

    def ids(self) -> tuple[str, str]:
        """The numbers of the owner and of the repository: names can be taken over."""

    def plan_setup(self, request: SetupRequest) -> SetupPlan:
        """The changes that lead to what is requested; reviewers are looked up where a gate has none."""

    def require_rights(self, changes: Iterable[SettingChange]) -> None:
        """Raises ForgeError, naming the permission, if the token may not make all of them."""

    def change_setting(self, change: SettingChange) -> None:
        """Makes one change."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
