"""What one configured `provider` block says: the defaults of all resources that it manages."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.sandbox.provider.values import Value

_LOCATIONS = ("project", "region", "zone")
_IN_PATH = {
    "project": re.compile(r"(?:^|/)projects/([^/]+)/"),
    "location": re.compile(r"/locations/([^/]+)/"),
    "region": re.compile(r"/regions/([^/]+)/"),
    "zone": re.compile(r"/zones/([^/]+)/"),
}


@dataclass(frozen=True)
class ProviderInstance:
    """One provider instance. `stopped` is set when Terraform asks it to stop, and ends simulated waiting."""

    locations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    attribution: bool = True
    stopped: threading.Event = field(default_factory=threading.Event, compare=False)

    @classmethod
    def configured(cls, config: Mapping[str, Any], defaults: Mapping[str, str]) -> ProviderInstance:
        """From the arguments of a provider block; `defaults` stand in for locations that it leaves out."""
        locations = {name: config.get(name) or defaults.get(name) for name in _LOCATIONS}
        labels = config.get("default_labels")
        return cls(
            locations={name: value for name, value in locations.items() if isinstance(value, str)},
            labels=labels if isinstance(labels, dict) else {},
            attribution=config.get("add_terraform_attribution_label") is not False,
        )

    def location(self, name: str, parent: Value = None) -> str | None:
        """The project, region, zone or location of a resource that names none: its parent's, else ours."""
        if isinstance(parent, str):
            match = _IN_PATH[name].search(parent)
            if match:
                return match.group(1)
        return self.locations.get("region" if name == "location" else name)


class ProviderError(Exception):
    """What the simulated API or provider refuses: `summary` as Google's provider words it."""

    def __init__(self, summary: str, detail: str = "", path: tuple[str | int, ...] = ()) -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.path = path
