"""`Masker`: the rules of one configuration, applied to values, plans, text, bytes and command lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from orchestrator.masking.inline import InlineSecrets
from orchestrator.masking.lines import READABLE, LayoutSecrets
from orchestrator.masking.plans import collect, collect_state, keyed_addresses, vocabulary_of
from orchestrator.masking.secret_names import HIDDEN, SecretNames
from orchestrator.masking.secrets import NO_SECRETS, SecretCollector, SecretSet
from orchestrator.masking.shapes import SecretShapes
from orchestrator.masking.values import Path, ValueWalker

_QUOTED_HIDDEN = re.compile(rf'(?<=[=>] )\\?"{re.escape(HIDDEN)}\\?"')
# Options of Terraform's that take NAME=VALUE.
_PAIR_OPTIONS = ("var", "backend-config")


class MaskingRules(Protocol):
    """Rules beyond the built-in ones; `orchestrator.config.Masking` is such."""

    @property
    def names(self) -> Sequence[str]:
        """Words that mark a name as secret."""

    @property
    def attributes(self) -> Sequence[str]:
        """Globs over ADDRESS.ATTRIBUTE."""

    @property
    def patterns(self) -> Sequence[str]:
        """Regular expressions of secret values."""


class Masker:
    """Hides secrets by Terraform's marks, by name and by shape. Safe to share between threads."""

    def __init__(self, rules: MaskingRules | None = None) -> None:
        self.names = SecretNames(rules.names if rules else ())
        self.shapes = SecretShapes(rules.patterns if rules else ())
        self.inline = InlineSecrets(self.names)
        self.attributes = tuple(rules.attributes) if rules else ()

    def walker(self, collector: SecretCollector | None = None) -> ValueWalker:
        """A walk through values with these rules."""
        return ValueWalker(self.names, self.shapes, self.inline, self.attributes, collector)

    def mask_value(self, value: Any, sensitive: Any = None, path: Path = ()) -> Any:
        """A value without its secrets.

        `sensitive` is the tree of marks that plan JSON has beside it; `path` begins with the address and goes
        on with the attributes that lead to the value.
        """
        return self.walker().walk(value, sensitive, path or ("",))

    def secrets_of(self, plan: Mapping[str, Any]) -> SecretSet:
        """Every secret in plan JSON (`terraform show -json`), for taking it out of text about that plan."""
        collector = SecretCollector(vocabulary_of(plan), keyed_addresses(plan))
        collect(plan, self.walker(collector))
        return collector.secrets()

    def secrets_in_state(self, state: Mapping[str, Any]) -> SecretSet:
        """Every secret in a state file, for text about a plan that could not be made."""
        collector = SecretCollector()
        collect_state(state, self.walker(collector))
        return collector.secrets()

    def secrets_among(self, values: Mapping[str, str]) -> SecretSet:
        """The secrets among named values: variables given on the command line or in the environment."""
        collector = SecretCollector()
        walker = self.walker(collector)
        for name, value in values.items():
            walker.walk(value, None, ("", name))
        return collector.secrets()

    def mask_text(self, text: str, secrets: SecretSet = NO_SECRETS) -> str:
        """A text without the secrets given, and without what a shape or a name gives away."""
        masked = secrets.hide(self.shapes.mask(text.replace(READABLE, "")))
        masked = LayoutSecrets(self.names, secrets).mask(masked)
        masked = self.inline.mask(masked).replace(READABLE, "")
        return _QUOTED_HIDDEN.sub(HIDDEN, masked)

    def mask_address(self, address: str) -> str:
        """An address without the instance keys that look like secrets; names in it give nothing away."""
        return self.shapes.mask(address)

    def mask_quotes(self, text: str, secrets: SecretSet) -> str:
        """A sentence of ours that quotes code, without secrets; names in it give nothing away."""
        return self.shapes.mask(secrets.hide(text))

    def mask_json(self, value: Any, secrets: SecretSet = NO_SECRETS) -> Any:
        """Every text in a JSON value, such as a diagnostic, masked; its keys stay."""
        if isinstance(value, str):
            return self.mask_text(value, secrets)
        if isinstance(value, Mapping):
            return self._mask_mapping(value, secrets)
        if isinstance(value, list | tuple):
            return [self.mask_json(item, secrets) for item in value]
        return value

    def _mask_mapping(self, value: Mapping[str, Any], secrets: SecretSet) -> dict[str, Any]:
        masked = {key: self.mask_json(below, secrets) for key, below in value.items()}
        traversal, statement = value.get("traversal"), value.get("statement")
        if isinstance(traversal, str) and isinstance(statement, str):
            # A diagnostic's "var.password is "x"", in two parts.
            prefix = f"{traversal} "
            masked["statement"] = self.mask_text(prefix + statement, secrets).removeprefix(prefix)
        return masked

    def mask_argv(self, argv: Sequence[str], secrets: SecretSet = NO_SECRETS) -> tuple[str, ...]:
        """A command line that may be shown: values of secret variables and options are hidden."""
        masked: list[str] = []
        option = ""
        for word in argv:
            masked.append(self._mask_word(word, option, secrets))
            bare = word.lstrip("-")
            option = bare if word.startswith("-") and "=" not in word else ""
        return tuple(masked)

    def _mask_word(self, word: str, option: str, secrets: SecretSet) -> str:
        if option and not word.startswith("-") and self.names.is_secret(option):
            return HIDDEN
        head, body = "", word
        if word.startswith("-") and "=" in word:
            name, _, body = word.partition("=")
            head, option = f"{name}=", name.lstrip("-")
            if self.names.is_secret(option):
                return head + HIDDEN
        if option in _PAIR_OPTIONS and "=" in body:
            name, _, value = body.partition("=")
            walk = self.walker().walk(value, None, ("", name))
            return f"{head}{name}={secrets.hide(str(walk))}"
        return head + self.mask_text(body, secrets)
