"""What the guard refuses in code: each rule on the facts of one file of a folder that a plan reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.config.globs import matches
from orchestrator.guard.allowed import Allowed, is_listed_provider
from orchestrator.guard.facts import CodeFacts, Store
from orchestrator.guard.paths import wrong_path, wrong_with
from orchestrator.project.model import Finding
from orchestrator.project.reads import Place
from orchestrator.repository.hcl.text import Scope, Text, literal, resolve
from orchestrator.repository.tree import Tree

# They give code of a pull request a way out, or a token to go out with.
REFUSED_DATA = {
    "external": "runs a program",
    "http": "sends requests, with whatever a plan knows",
    "google_client_config": "hands out the access token of the account that plans",
    "google_service_account_access_token": "makes an access token",
    "google_service_account_id_token": "makes an identity token",
    "google_service_account_jwt": "signs a token",
}
# The same for a provider or a backend: where requests go, and as whom.
REFUSED_ARGUMENT = re.compile(
    r".*_custom_endpoint|credentials|external_credentials|access_token|universe_domain"
    r"|impersonate_service_account(?:_delegates)?"
)


@dataclass(frozen=True)
class Judge:
    """The rules of one guard, on one tree."""

    tree: Tree
    allowed: Allowed

    def folder(self, files: Mapping[str, CodeFacts], *, is_root: bool) -> Iterator[Finding]:
        """What is wrong in a folder's files, as far as that does not depend on who calls it."""
        names = {one.name for facts in files.values() for one in facts.required}
        for file, facts in files.items():
            if facts.unreadable:
                line, why = facts.unreadable
                message = f"What this file holds cannot be told: {why}."
                yield Finding("error", "unreadable", message, "Write it in plain Terraform.", file, line)
            yield from self._providers(file, facts, names)
            yield from _types(file, facts)
            yield from _provisioners(file, facts)
            yield from _arguments(file, facts)
            if is_root:
                yield from self._backends(file, facts)

    def _providers(self, file: str, facts: CodeFacts, names: set[str]) -> Iterator[Finding]:
        for one in facts.required:
            yield from self._provider(file, one.line, one.name, one.source)
        implied: dict[str, int | None] = {}
        for held in facts.held:
            implied.setdefault(held.provider, held.line)
        for configured in facts.configured:
            implied.setdefault(configured.name, configured.line)
        for name, line in implied.items():
            if name not in names and name != "terraform":
                yield from self._provider(file, line, name, f"hashicorp/{name}")

    def _provider(self, file: str, line: int | None, name: str, source: str | None) -> Iterator[Finding]:
        if source is None:
            message = f"Where the provider {name!r} comes from cannot be told."
            yield Finding("error", "provider", message, "Write its source as a plain string.", file, line)
        elif not is_listed_provider(source, self.allowed):
            message = f"The provider {source} is not listed: it is a program that runs in every plan."
            yield _unlisted("provider", message, ("providers", source), file, line)

    def module(self, file: str, line: int | None, name: str, source: str | None) -> Iterator[Finding]:
        """A call of a module that is not in the repository; `source` is None when it cannot be told."""
        if source is None:
            message = f"Where the module {name!r} comes from cannot be told."
            advice = "Write the source as a plain string."
            yield Finding("error", "module-source", message, advice, file, line)
        elif not matches(source, self.allowed.modules):
            message = f"The module source {source} is not listed: its code is not looked at."
            yield _unlisted("module-source", message, ("modules", source), file, line)

    def _backends(self, file: str, facts: CodeFacts) -> Iterator[Finding]:
        for one in facts.backends:
            kind = literal(one.kind) or ""
            if not matches(kind, self.allowed.backends):
                message = f"The backend {kind!r} is not listed: states would go there."
                yield _unlisted("backend", message, ("backends", kind), file, one.line)
            yield from _store_arguments(file, one, f"the backend {kind!r}")

    # What depends on the names that a root or a caller gives

    def instance(self, files: Mapping[str, CodeFacts], place: Place, *, is_root: bool) -> Iterator[Finding]:
        """What is wrong in a folder's files where it is called with the names of `place`."""
        for file, facts in files.items():
            for use in facts.reads:
                why = wrong_with(self.tree, use, place)
                if why:
                    yield file_finding(f"`{use.function}` {why}.", file, use.line)
            for one in facts.states:
                yield from self._remote_state(file, one, place)
            for one in facts.backends if is_root else ():
                yield from self._settings(file, one, literal(one.kind), place, "backend")

    def _remote_state(self, file: str, one: Store, place: Place) -> Iterator[Finding]:
        kind = literal(resolve(one.kind, place.scope)) if one.kind is not None else None
        what = f"The remote state {one.name!r}"
        if one.kind is not None and kind is None:
            message = f"{what} has a backend that cannot be told."
            advice = "Write it as a plain string."
            yield Finding("error", "remote-state", message, advice, file, one.line)
        elif kind is not None and not matches(kind, self.allowed.backends):
            message = f"{what} has the backend {kind!r}, which is not listed."
            yield _unlisted("remote-state", message, ("backends", kind), file, one.line)
        if one.settings is None:
            message = f"How {what[0].lower()}{what[1:]} is configured cannot be told."
            advice = "Write `config = {…}` with plain keys."
            yield Finding("error", "remote-state", message, advice, file, one.line)
        else:
            yield from _store_arguments(file, one, what[0].lower() + what[1:])
            yield from self._settings(file, one, kind, place, "remote-state")

    def _settings(
        self, file: str, one: Store, kind: str | None, place: Place, rule: str
    ) -> Iterator[Finding]:
        settings = one.settings or {}
        if "bucket" in settings:
            bucket = told(settings["bucket"], place.scope)
            if bucket is None or not matches(bucket, self.allowed.buckets):
                said = "that cannot be told" if bucket is None else f"{bucket}, which is not listed"
                message = f"This keeps or reads a state in a bucket {said}."
                if bucket is None:
                    advice = "Write its name as a plain string."
                    yield Finding("error", rule, message, advice, file, one.line)
                else:
                    yield _unlisted(rule, message, ("buckets", bucket), file, one.line)
        for key in ("path", "workspace_dir") if kind in ("local", None) else ():
            if key in settings:
                why = wrong_path(self.tree, settings[key], place)
                if why:
                    yield file_finding(f"A local state {why}.", file, one.line)


def told(text: Text, scope: Scope) -> str | None:
    """A string with the names of a scope put in; None when it cannot be told."""
    return literal(resolve(text, scope))


def _unlisted(rule: str, message: str, entry: tuple[str, str], file: str, line: int | None) -> Finding:
    """What an owner can list on trunk: `entry` is a key below `guard` and the value."""
    key, value = entry
    advice = f"An owner lists it on trunk: `guard: {{{key}: […, {value}]}}` in infra.yaml."
    return Finding("error", rule, message, advice, file, line, listed=entry)


def file_finding(message: str, file: str, line: int | None) -> Finding:
    """A path that leads elsewhere."""
    advice = "Let it begin with `${path.module}/` and name a file of the repository, without variables."
    return Finding("error", "file-path", message, advice, file, line)


def _types(file: str, facts: CodeFacts) -> Iterator[Finding]:
    for one in facts.held:
        if one.kind in ("data", "ephemeral") and one.type in REFUSED_DATA:
            message = f"{one.kind} {one.type!r} {REFUSED_DATA[one.type]}, in every plan."
            advice = "Give the value as a variable, or let a resource make it."
            yield Finding("error", "data-source", message, advice, file, one.line)


def _provisioners(file: str, facts: CodeFacts) -> Iterator[Finding]:
    for one in facts.provisioners:
        message = f"A {one.name} in {one.of} runs commands of its own."
        advice = "Do it outside Terraform, or by a resource that does it."
        yield Finding("error", "provisioner", message, advice, file, one.line)


def _arguments(file: str, facts: CodeFacts) -> Iterator[Finding]:
    for one in facts.arguments:
        if REFUSED_ARGUMENT.fullmatch(one.name):
            message = f"The provider {one.of!r} sets {one.name}: who it is and where it sends requests."
            advice = "Leave it out: the account comes from the environment."
            yield Finding("error", "provider-argument", message, advice, file, one.line)
    for meta in facts.metas:
        message = f"`provider_meta {meta.name!r}` sends data with every request."
        yield Finding("error", "provider-meta", message, "Leave it out.", file, meta.line)


def _store_arguments(file: str, one: Store, what: str) -> Iterator[Finding]:
    for name in one.settings or ():
        if REFUSED_ARGUMENT.fullmatch(name):
            message = f"{what[0].upper()}{what[1:]} sets {name}: who it is and where it sends requests."
            advice = "Leave it out: the account comes from the environment."
            yield Finding("error", "provider-argument", message, advice, file, one.line)
