"""What differs between the environments of a stack, as a model, a document and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["code", "variable", "version", "resource", "pending"]


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in every environment.

    `values` maps environments to what it is there, masked; None where it is missing. `is_hidden` is true
    where secrets differ: then all values look alike.
    """

    kind: Kind
    name: str
    values: Mapping[str, str | None]
    is_hidden: bool = False


@dataclass(frozen=True)
class StackParity:
    """The comparison of one stack, by its name without the environment.

    `environments` are those that have it, in promotion order, `missing` those that do not. `unseen` says what
    could not be compared: environment → reason.
    """

    name: str
    environments: tuple[str, ...]
    missing: tuple[str, ...]
    differences: tuple[Difference, ...]
    unseen: Mapping[str, str]

    @property
    def is_equal(self) -> bool:
        """Whether every environment has it, everything was compared, and nothing differs."""
        return not (self.missing or self.differences or self.unseen)

    def document(self) -> dict[str, Any]:
        """The stack as it stands in `--json`."""
        return {
            "name": self.name,
            "environments": list(self.environments),
            "missing": list(self.missing),
            "differences": [
                {
                    "kind": difference.kind,
                    "name": difference.name,
                    "values": dict(difference.values),
                    "hidden": difference.is_hidden,
                }
                for difference in self.differences
            ],
            "unseen": dict(self.unseen),
        }


def find_differences(
    kind: Kind,
    by_environment: Mapping[str, Mapping[str, str]],
    visible: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[Difference]:
    """The names whose values are not the same in every environment, in the order of their names.

    `by_environment` maps environments to names with what is compared; `visible` has the same with what people
    may see of it, where that is something else.
    """
    visible = by_environment if visible is None else visible
    for name in sorted({name for values in by_environment.values() for name in values}):
        compared = {environment: values.get(name) for environment, values in by_environment.items()}
        if len(set(compared.values())) > 1:
            texts = {environment: values.get(name) for environment, values in visible.items()}
            yield Difference(kind, name, texts, is_hidden=len(set(texts.values())) == 1)
