"""What an apply that was cut off has made and no state knows: its journal compared with the state.

Pure functions. The journal is Terraform's `-json` lines, or those that `reduced` left of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import StateError
from orchestrator.jsontext import MALFORMED, read_object
from orchestrator.run.importids import ImportIds

_HOOKS = ("apply_start", "apply_complete", "apply_errored")
PLANNED = "planned_resource"


@dataclass(frozen=True)
class Orphan:
    """An object that exists, or may exist, and is not in the state.

    `id` is what the provider called it, empty when it never said; `import_id` what `import` takes, empty when
    nobody can tell; `name` what it was planned to be called. `certain` is true for one that was finished,
    `begun` for one that the journal speaks of at all.
    """

    address: str
    type: str
    id: str
    import_id: str
    name: str
    certain: bool
    begun: bool = True

    def __str__(self) -> str:
        called = self.id or self.name
        return f"{self.address} ({called})" if called else self.address


@dataclass(frozen=True)
class Comparison:
    """What a journal knows beyond a state.

    `missing` were made, `maybe` were begun, `again` may simply be made again (they live in the state alone,
    or making them twice changes nothing), `differing` are in the state under another id: address → (id in
    the journal, id in the state).
    """

    missing: tuple[Orphan, ...] = ()
    maybe: tuple[Orphan, ...] = ()
    again: tuple[str, ...] = ()
    differing: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """True when the state knows everything that the journal does."""
        return not (self.missing or self.maybe or self.differing)


@dataclass
class _Fate:
    """What the journal says became of one resource."""

    type: str
    made: str | None = None
    is_made: bool = False
    is_open: bool = False
    has_failed: bool = False


@dataclass(frozen=True)
class Planned:
    """What a plan said of a resource that it makes, as far as it helps to find it: plain attributes."""

    type: str
    values: Mapping[str, str]

    @property
    def name(self) -> str:
        """What it was to be called."""
        return next((self.values[key] for key in NAMES if self.values.get(key)), "")


# Attributes by which a cloud's objects are called.
NAMES = ("name", "account_id", "bucket", "secret_id", "service", "title")


def reduced(line: bytes) -> bytes | None:
    """A journal's line as it may leave the run's folder: address, type, action and id; None for any other."""
    document = _document(line)
    if document.get("type") not in _HOOKS:
        return None
    hook = document.get("hook") or {}
    resource = hook.get("resource") or {}
    kept = {
        "type": document["type"],
        "hook": {
            "resource": {name: resource.get(name) for name in ("addr", "resource_type")},
            **{name: hook[name] for name in ("action", "id_key", "id_value") if name in hook},
        },
    }
    return json.dumps(kept, separators=(",", ":")).encode()


def planned_line(address: str, planned: Planned) -> bytes:
    """A line that says what a resource was planned to be; it stands in a journal before all others."""
    document = {"type": PLANNED, "addr": address, "resource_type": planned.type, "values": planned.values}
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def compare(lines: Iterable[bytes], state: bytes | None, ids: ImportIds, *, whole: bool = True) -> Comparison:
    """Compare a journal with a state (None: there is none).

    Where the journal may lack its last lines (`whole` is false), whatever was planned may have been made.
    """
    fates, planned = _fates(lines)
    unheard = [] if whole else [address for address in planned if address not in fates]
    fates |= {address: _Fate(planned[address].type, is_open=True) for address in unheard}
    known = instances(state) if state else {}
    missing: list[Orphan] = []
    maybe: list[Orphan] = []
    again: list[str] = []
    differing: dict[str, tuple[str, str]] = {}
    for address, fate in fates.items():
        if address in known:
            was = known[address]
            if fate.is_made and fate.made and was and fate.made != was:
                differing[address] = (fate.made, was)
            continue
        if not (fate.is_made or fate.is_open):
            continue
        if ids.is_made_again(fate.type):
            again.append(address)
            continue
        plan = planned.get(address, Planned(fate.type, {}))
        found = Orphan(
            address=address,
            type=fate.type,
            id=fate.made or "",
            # What could not be made is perhaps somebody else's: that is why it could not.
            import_id="" if fate.has_failed else ids.of(fate.type, fate.made or "", plan.values),
            name=plan.name,
            certain=fate.is_made,
            begun=address not in unheard,
        )
        (missing if fate.is_made else maybe).append(found)
    return Comparison(tuple(missing), tuple(maybe), tuple(again), differing)


def _fates(lines: Iterable[bytes]) -> tuple[dict[str, _Fate], dict[str, Planned]]:
    fates: dict[str, _Fate] = {}
    planned: dict[str, Planned] = {}
    for line in lines:
        document = _document(line)
        kind = document.get("type")
        if kind == PLANNED:
            values = {str(name): str(value) for name, value in (document.get("values") or {}).items()}
            planned[str(document.get("addr"))] = Planned(str(document.get("resource_type")), values)
        elif kind in _HOOKS:
            hook = document.get("hook") or {}
            resource = hook.get("resource") or {}
            address = str(resource.get("addr", ""))
            fate = fates.setdefault(address, _Fate(str(resource.get("resource_type", ""))))
            _tell(fate, str(kind), str(hook.get("action", "")), str(hook.get("id_value") or ""))
    return fates, planned


def _tell(fate: _Fate, kind: str, action: str, identity: str) -> None:
    if action == "delete" and kind == "apply_complete":
        fate.is_made = fate.is_open = fate.has_failed = False
    elif action == "create" and kind == "apply_complete":
        fate.made, fate.is_made, fate.is_open, fate.has_failed = identity, True, False, False
    elif action == "create":
        # One that failed may have left something behind, too: the state would say so, and it is lost.
        fate.is_open, fate.has_failed = True, kind == "apply_errored"


def instances(state: bytes) -> dict[str, str]:
    """The managed resources of a state: address → `id` attribute, empty for one without."""
    try:
        return _instances(read_object(state))
    except MALFORMED as error:
        raise StateError(
            "The state is not one that Terraform wrote.", advice="`infra state history` lists older versions."
        ) from error


def _instances(state: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for resource in state.get("resources") or ():
        if resource.get("mode") != "managed":
            continue
        module = f"{resource['module']}." if resource.get("module") else ""
        base = f"{module}{resource['type']}.{resource['name']}"
        for one in resource.get("instances") or ():
            if one.get("deposed"):
                continue
            attributes: Mapping[str, Any] = one.get("attributes") or {}
            found[base + _index(one.get("index_key"))] = str(attributes.get("id") or "")
    return found


def _index(key: object) -> str:
    """An instance's key as an address has it."""
    if key is None:
        return ""
    if isinstance(key, str):
        text = json.dumps(key, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
        return f"[{text}]"
    return f"[{key}]"


def _document(line: bytes) -> dict[str, Any]:
    try:
        return read_object(line)
    except ValueError:
        return {}
