"""Takes known changes from a subscription of Pub/Sub, and acknowledges those whose stacks were checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from orchestrator.drift.changes import CloudChange, read_entry
from orchestrator.errors import InfraError
from orchestrator.state.pubsub import PulledMessage, Subscription


@dataclass
class SubscribedChanges:
    """The messages of a subscription that wait. Best effort: what goes wrong is a note in `problems`.

    Jobs of other environments and shards read the same subscription. So a message is acknowledged once the
    stacks of this job that it reaches were checked, when it is older than any check may be, and when it tells
    of no change.
    """

    subscription: Subscription | None = None
    messages: tuple[tuple[PulledMessage, CloudChange | None], ...] = ()
    problems: list[str] = field(default_factory=list)

    @classmethod
    def pull(cls, name: str | None, env: Mapping[str, str]) -> SubscribedChanges:
        """Pull the messages of a subscription; none without a name."""
        pulled = cls()
        if name is None:
            return pulled
        try:
            pulled.subscription = Subscription(name, env)
            received = pulled.subscription.pull()
            pulled.messages = tuple(
                (message, read_entry({"message": message.message})) for message in received
            )
        except InfraError as error:
            pulled.problems.append(
                f"Changes in the cloud are not known: {error.message} {error.advice}".strip()
            )
        return pulled

    @property
    def changes(self) -> tuple[CloudChange, ...]:
        """The changes that the messages tell of."""
        return tuple(change for _, change in self.messages if change)

    def finish(self, checked: Collection[str], oldest: str) -> None:
        """Acknowledge changes of the resources `checked`, and what was changed before the time `oldest`."""
        if self.subscription is None:
            return
        done: list[PulledMessage] = []
        others: list[PulledMessage] = []
        for message, change in self.messages:
            is_done = change is None or change.resource in checked or change.when < oldest
            (done if is_done else others).append(message)
        try:
            self.subscription.finish(done, others)
        except InfraError as error:
            self.problems.append(f"Changes were not acknowledged: {error.message}")
        finally:
            self.subscription.close()
