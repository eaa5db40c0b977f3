"""The capabilities of providers on the machine that plans: running programs, reading files, sending requests.

`providers.toml` lists them by provider, with links to the documentation.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

from orchestrator.guard.settings import Setting
from orchestrator.repository.hcl.text import NameScope, literal, literal_prefix, resolve

READING_KINDS = frozenset({"data", "ephemeral", "action", "list"})
ANY_PROVIDER = "*"
Use = Literal["path", "deferred", "written", "chart", "bucket"]


@dataclass(frozen=True)
class Capabilities:
    """What a block of one kind can do; see `providers.toml`. All names are globs."""

    refused: str = ""
    unless: Mapping[str, str] = field(default_factory=dict)
    programs: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    deferred: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    rendered: tuple[str, ...] = ()
    schemes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class KnownProvider:
    """A reviewed provider: its sources, its own block, and its types by `KIND.TYPE` globs."""

    sources: tuple[str, ...]
    documentation: str
    block: Capabilities
    types: tuple[tuple[str, Capabilities], ...]


@dataclass(frozen=True, slots=True)
class RefusedSetting:
    """A setting that is refused, whatever its value: as the end of a sentence."""

    setting: Setting
    message: str


@dataclass(frozen=True, slots=True)
class CheckedSetting:
    """A setting whose value is checked where the names that it holds are known."""

    use: Use
    setting: Setting


@cache
def known_providers() -> tuple[KnownProvider, ...]:
    """The providers of `providers.toml`."""
    data = tomllib.loads((files("orchestrator.guard") / "providers.toml").read_text("utf-8"))
    return tuple(_provider(entry) for entry in data["provider"])


def _provider(entry: Mapping[str, Any]) -> KnownProvider:
    types = tuple((pattern, _capabilities(value)) for pattern, value in entry.get("types", {}).items())
    sources = (entry["source"], *entry.get("also", ()))
    return KnownProvider(sources, entry["documentation"], _capabilities(entry), types)


def _capabilities(entry: Mapping[str, Any]) -> Capabilities:
    names = (
        "programs",
        "endpoints",
        "paths",
        "deferred",
        "written",
        "charts",
        "buckets",
        "objects",
        "rendered",
    )
    lists = {name: tuple(entry.get(name, ())) for name in names}
    schemes = {name: tuple(values) for name, values in entry.get("schemes", {}).items()}
    refused, unless = entry.get("refused", ""), entry.get("unless", {})
    return Capabilities(refused=refused, unless=unless, schemes=schemes, **lists)


def is_known(source: str) -> bool:
    """Whether a provider was reviewed; `source` is as `provider_address` has it."""
    return any(source in provider.sources for provider in known_providers())


@lru_cache(maxsize=1_000)
def provider_capabilities(source: str | None) -> tuple[Capabilities, ...]:
    """What can stand in a provider's own block; `source` is its address, None when unknown."""
    return tuple(
        provider.block
        for provider in known_providers()
        if source is None or source in provider.sources or ANY_PROVIDER in provider.sources
    )


@lru_cache(maxsize=10_000)
def type_capabilities(kind: str, type_name: str) -> tuple[Capabilities, ...]:
    """What can stand in a resource, data source and so on, whichever provider has the type."""
    kinds = (kind, "read") if kind in READING_KINDS else (kind,)
    names = tuple(f"{each}.{type_name}" for each in kinds)
    return tuple(
        capabilities
        for provider in known_providers()
        for pattern, capabilities in provider.types
        if any(fnmatchcase(name, pattern) for name in names)
    )


def refused_settings(
    settings: Iterable[Setting], capabilities: Iterable[Capabilities]
) -> Iterator[RefusedSetting]:
    """The settings that are refused whatever their value is."""
    capabilities = tuple(capabilities)
    reported: set[tuple[tuple[str, ...], int | None]] = set()
    for setting in settings:
        message = next(filter(None, (_problem(setting, each) for each in capabilities)), None)
        if message and (setting.path, setting.line) not in reported:
            reported.add((setting.path, setting.line))
            yield RefusedSetting(setting, message)


def _problem(setting: Setting, capabilities: Capabilities) -> str | None:
    if _is_among(setting.name, capabilities.programs):
        return "it can run a program in every plan"
    if _is_among(setting.name, capabilities.endpoints):
        return "it decides who it is and where it sends requests"
    if setting.is_open and _is_among(setting.name, capabilities.objects):
        return "what it holds cannot be determined"
    return None


def refused_scheme(setting: Setting, capabilities: Iterable[Capabilities], scope: NameScope) -> str | None:
    """What is wrong with a value that may begin as a program is named; None: nothing."""
    for each in capabilities:
        schemes = next((each.schemes[name] for name in each.schemes if setting.name == name), ())
        if schemes and setting.text is not None:
            text = resolve(setting.text, scope)
            beginning = (literal(text) or literal_prefix(text)).strip().lower()
            if any(beginning.startswith(scheme) for scheme in schemes):
                return "it runs a program in every plan"
            if not any(char in beginning for char in ":/"):
                return "its value cannot be determined, and may run a program"
    return None


def checked_settings(
    settings: Iterable[Setting], capabilities: Iterable[Capabilities]
) -> Iterator[CheckedSetting]:
    """The settings whose value is checked: paths, charts and buckets."""
    capabilities = tuple(capabilities)
    for setting in settings:
        for each in capabilities:
            kinds: tuple[tuple[Use, tuple[str, ...]], ...] = (
                ("path", each.paths),
                ("deferred", each.deferred),
                ("written", each.written),
                ("chart", each.charts),
                ("bucket", each.buckets),
            )
            for use, names in kinds:
                if _is_among(setting.name, names):
                    yield CheckedSetting(use, setting)


def refused_block(settings: Iterable[Setting], capabilities: Iterable[Capabilities]) -> str:
    """Why a whole block is refused; empty when it is not."""
    values = {setting.name: literal(setting.text) for setting in settings if len(setting.path) == 1}
    return next(
        (
            each.refused
            for each in capabilities
            if each.refused
            and (not each.unless or each.unless != {name: values.get(name) for name in each.unless})
        ),
        "",
    )


@lru_cache(maxsize=10_000)
def _is_among(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
