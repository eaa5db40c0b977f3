"""A Terraform plan in frozen values. Everything here is masked, except what a field's text says is raw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orchestrator.masking import Masker, SecretSet

# Why Terraform reads a data source at each apply: it stands in a `check` block.
READ_FOR_CHECK = "read_because_check_nested"
COUNTS = ("create", "update", "replace", "delete", "import", "move", "forget")


@dataclass(frozen=True)
class AttributeChange:
    """One attribute that changes. `path` is written as in Terraform: `env[0].value`, `labels["a b"]`.

    `before` and `after` are JSON values; `sensitive` is true when something in them is hidden, `unknown` when
    the new value is known after the apply only.
    """

    path: str
    before: Any
    after: Any
    sensitive: bool = False
    unknown: bool = False

    def document(self) -> dict[str, Any]:
        """The attribute as it stands in `--json`."""
        return {
            "path": self.path,
            "before": self.before,
            "after": self.after,
            "sensitive": self.sensitive,
            "unknown": self.unknown,
        }


@dataclass(frozen=True)
class ResourceChange:
    """What a plan does to one resource, in Terraform's words. `actions` are Terraform's own.

    `action_reason` says why (`replace_because_cannot_update`), `replace_paths` which attributes force it,
    `deposed` is the key of an object that a failed replacement left behind, `import_id` what is imported.
    """

    address: str
    actions: tuple[str, ...]
    type: str
    mode: str = "managed"
    provider: str = ""
    previous_address: str | None = None
    action_reason: str | None = None
    deposed: str | None = None
    import_id: str | None = None
    attributes: tuple[AttributeChange, ...] = ()
    replace_paths: tuple[str, ...] = ()

    @property
    def is_no_op(self) -> bool:
        """Nothing is done to it; it may still move or be imported."""
        return self.actions == ("no-op",)

    @property
    def is_create(self) -> bool:
        """A new one is made and none goes."""
        return self.actions == ("create",)

    @property
    def is_read(self) -> bool:
        """A data source that is read during the apply."""
        return self.actions == ("read",)

    @property
    def is_update(self) -> bool:
        """Changed in place."""
        return self.actions == ("update",)

    @property
    def is_replace(self) -> bool:
        """Made again, in either order, or made again while the old one is left alone."""
        return len(self.actions) == 2 and "create" in self.actions

    @property
    def is_delete(self) -> bool:
        """Deleted and not made again."""
        return self.actions == ("delete",)

    @property
    def is_forget(self) -> bool:
        """Taken out of the state and left in the world."""
        return self.actions == ("forget",)

    @property
    def is_import(self) -> bool:
        """Taken into the state; it may change as well."""
        return self.import_id is not None

    @property
    def is_move(self) -> bool:
        """Known under another address until now; it may change as well."""
        return self.previous_address is not None and self.previous_address != self.address

    @property
    def is_destructive(self) -> bool:
        """Something in the world goes."""
        return "delete" in self.actions

    @property
    def is_shown(self) -> bool:
        """Whether people want to see it: all but data sources and what stays as and where it is."""
        if self.is_no_op:
            return self.is_move or self.is_import
        return self.mode == "managed"

    @property
    def counted_as(self) -> tuple[str, ...]:
        """The keys of `counts` that it adds one to."""
        if not self.is_shown:
            return ()
        kinds = {
            "create": self.is_create,
            "update": self.is_update,
            "replace": self.is_replace,
            "delete": self.is_delete,
            "import": self.is_import,
            "move": self.is_move,
            "forget": self.is_forget,
        }
        return tuple(key for key in COUNTS if kinds[key])

    def document(self) -> dict[str, Any]:
        """The change as it stands in `--json`."""
        return {
            "address": self.address,
            "previous_address": self.previous_address,
            "actions": list(self.actions),
            "attributes": [attribute.document() for attribute in self.attributes],
        }


@dataclass(frozen=True)
class OutputChange:
    """What a plan does to an output. `raw_before` and `raw_after` are not masked; they are never printed."""

    name: str
    actions: tuple[str, ...]
    before: Any
    after: Any
    sensitive: bool = False
    unknown: bool = False
    raw_before: Any = field(default=None, repr=False, compare=False)
    raw_after: Any = field(default=None, repr=False, compare=False)

    @property
    def is_changed(self) -> bool:
        """True when a reader of the output may see another value after the apply."""
        return self.actions != ("no-op",)


@dataclass(frozen=True)
class CheckBlock:
    """A `check` block, or the conditions of a resource, an output or a variable, as far as evaluated.

    `status` is pass, fail, error or unknown.
    """

    address: str
    kind: str
    status: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A plan as `terraform show -json` tells it.

    `addresses` has those that hold a secret, with what stands for each of them everywhere else. `invocations`
    is how many actions the apply would invoke, `is_deferred` whether a part of it is left to a later plan.
    """

    terraform_version: str
    format_version: str
    changes: tuple[ResourceChange, ...]
    drift: tuple[ResourceChange, ...] = ()
    outputs: Mapping[str, OutputChange] = field(default_factory=dict)
    checks: tuple[CheckBlock, ...] = ()
    errored: bool = False
    invocations: int = 0
    is_deferred: bool = False
    applyable: bool = True
    complete: bool = True
    addresses: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    secrets: SecretSet = field(default_factory=SecretSet, repr=False, compare=False)
    masker: Masker = field(default_factory=Masker, repr=False, compare=False)

    @cached_property
    def shown_changes(self) -> tuple[ResourceChange, ...]:
        """What changes, moves or is imported, in Terraform's order."""
        return tuple(change for change in self.changes if change.is_shown)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many resources are created, updated and so on; a replace counts once."""
        counts = dict.fromkeys(COUNTS, 0)
        for change in self.changes:
            for key in change.counted_as:
                counts[key] += 1
        return counts

    @property
    def changed_outputs(self) -> tuple[str, ...]:
        """Names of the outputs that change."""
        return tuple(name for name, output in self.outputs.items() if output.is_changed)

    @property
    def has_changes(self) -> bool:
        """True when an apply would change something: a resource, what the state knows, or an output."""
        return bool(self.shown_changes or self.changed_outputs)

    @property
    def is_for_checks_only(self) -> bool:
        """True when an apply would read data sources of `check` blocks and do nothing else."""
        acting = [change for change in self.changes if not change.is_no_op]
        only_reads = bool(acting) and all(
            change.is_read and change.action_reason == READ_FOR_CHECK for change in acting
        )
        return only_reads and not (self.has_changes or self.invocations or self.is_deferred)

    @property
    def is_destructive(self) -> bool:
        """True when something is deleted or replaced."""
        return any(change.is_destructive for change in self.shown_changes)

    def shown_address(self, address: str) -> str:
        """An address of plan JSON as it stands in `changes` and `drift`."""
        return self.addresses.get(address, address)

    def real_address(self, shown_address: str) -> str:
        """The address that Terraform knows a resource by."""
        return next(
            (real for real, masked in self.addresses.items() if masked == shown_address), shown_address
        )

    def mask(self, text: str) -> str:
        """A text about this plan, such as its diff, without the plan's secrets."""
        return self.masker.mask_text(text, self.secrets)
