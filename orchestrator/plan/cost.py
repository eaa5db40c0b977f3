"""How much a plan changes the monthly cost: of one stack, and of several together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Above this a difference is no amount of money.
HIGHEST = 1e12


@dataclass(frozen=True)
class MonthlyCost:
    """The difference to the monthly cost in a currency (ISO 4217), rounded to two decimal places.

    `difference` is None where it is not known, and `problem` says why. `unpriced` counts resources of types
    for which there is no price at all: they are not in the difference.
    """

    difference: float | None
    currency: str = ""
    unpriced: int = 0
    problem: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether these are values that an estimate can have; one that was read may hold anything."""
        has_currency = len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()
        is_amount = self.difference is not None and abs(self.difference) < HIGHEST
        return self.unpriced >= 0 and (
            (is_amount and has_currency and not self.problem)
            or (self.difference is None and bool(self.problem))
        )

    def document(self) -> dict[str, Any]:
        """The cost as it stands in `--json`."""
        return {
            "monthly_difference": self.difference,
            "currency": self.currency or None,
            "unpriced": self.unpriced,
            "problem": self.problem,
        }


def unknown_cost(problem: str) -> MonthlyCost:
    """A cost that is not known, and why."""
    return MonthlyCost(None, problem=problem)


def sum_costs(costs: Mapping[str, MonthlyCost | None]) -> MonthlyCost | None:
    """The cost of several stacks, by their ids: not known as soon as one of them is not; None for none."""
    estimates = {id_: cost or unknown_cost("it was not estimated") for id_, cost in costs.items()}
    if not estimates:
        return None
    unpriced = sum(cost.unpriced for cost in estimates.values())
    problems = [f"{id_}: {cost.problem}" for id_, cost in estimates.items() if cost.difference is None]
    currencies = sorted({cost.currency for cost in estimates.values() if cost.difference is not None})
    if len(currencies) > 1:
        problems.append(f"there are several currencies: {', '.join(currencies)}")
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return MonthlyCost(None, unpriced=unpriced, problem=f"{problems[0]}{more}")
    differences = (cost.difference or 0.0 for cost in estimates.values())
    return MonthlyCost(round(sum(differences), 2), currencies[0], unpriced)


def costs_of_environments(
    costs: Iterable[tuple[str, str, MonthlyCost | None]],
) -> dict[str, MonthlyCost]:
    """The sum by environment, in their order, of stacks as (environment, id, cost).

    Empty where no stack has a cost: then none was requested.
    """
    stacks = list(costs)
    if not any(cost for _, _, cost in stacks):
        return {}
    by_environment: dict[str, dict[str, MonthlyCost | None]] = {}
    for environment, id_, cost in stacks:
        by_environment.setdefault(environment, {})[id_] = cost
    sums = {environment: sum_costs(members) for environment, members in by_environment.items()}
    return {environment: cost for environment, cost in sums.items() if cost is not None}
