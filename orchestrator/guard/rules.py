"""The guard's rules for code, applied to the facts of one file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.config.globs import matches
from orchestrator.guard import providers
from orchestrator.guard.allowlist import Allowlist, is_listed_provider, provider_address
from orchestrator.guard.facts import CodeFacts, NamedBlock, ResourceBlock, StateStore
from orchestrator.guard.paths import path_problem, read_problem, resolve_physical
from orchestrator.guard.providers import Capabilities, CheckedSetting
from orchestrator.guard.settings import Setting
from orchestrator.repository.file_reads import CodeLocation
from orchestrator.repository.hcl import read_values
from orchestrator.repository.hcl.text import NULL, NameScope, Ref, Text, literal, literal_prefix, resolve
from orchestrator.repository.model import Finding
from orchestrator.repository.tree import Tree
from orchestrator.state.backends import backend_kind

BUILT_IN = "terraform"
# The same for a backend as for a provider: where requests go, and as whom.
STORE_ARGUMENT = re.compile(
    r".*_custom_endpoint|credentials|external_credentials|access_token|universe_domain"
    r"|impersonate_service_account(?:_delegates)?"
)
# Key providers and methods of OpenTofu's encryption that run no program and take no credentials from a file.
KEY_PROVIDERS = frozenset({"pbkdf2", "gcp_kms"})
METHODS = frozenset({"aes_gcm", "unencrypted"})
# As states name the provider of a resource.
STATE_PROVIDER = re.compile(r'(?:module\..+\.)?provider\["([^"\]]+)"\](?:\.[\w-]+)?')
ENVIRONMENT = "Leave it out: the account comes from the environment."


# Sources of providers by their local name; None is one that cannot be determined.
Sources = Mapping[str, set[str | None]]


@dataclass(frozen=True)
class CodeRules:
    """The rules of one guard, on one tree.

    `is_terraform` is true where trunk says that Terraform reads the code: a text that it renders by
    `templatestring` may call no function that reads files. OpenTofu has no such limit.
    """

    tree: Tree
    allowed: Allowlist
    is_terraform: bool = False

    def folder(self, files: Mapping[str, CodeFacts], *, is_root: bool) -> Iterator[Finding]:
        """Findings in a folder's files that do not depend on the caller."""
        sources = _sources(files)
        for file, facts in files.items():
            yield from self.unreadable(file, facts)
            yield from self._providers(file, facts, sources)
            for resource in facts.resources:
                yield from _type(file, resource)
            yield from _provisioners(file, facts)
            yield from _provider_blocks(file, facts, sources)
            yield from _metas(file, facts)
            yield from _encryption(file, facts)
            if is_root:
                yield from self._backends(file, facts)

    def unreadable(self, file: str, facts: CodeFacts) -> Iterator[Finding]:
        """A finding for a file that cannot be read reliably."""
        if facts.unreadable:
            line, why = facts.unreadable
            message = f"What this file holds cannot be determined: {why}."
            yield Finding("error", "unreadable", message, "Write it in plain Terraform.", file, line or 1)

    def tests(self, files: Mapping[str, CodeFacts], required: Iterable[str]) -> Iterator[Finding]:
        """What `init` takes from test files: providers and modules."""
        names: Sources = {name: {None} for name in required}
        for file, facts in files.items():
            yield from self.unreadable(file, facts)
            yield from self._providers(file, facts, names)

    def _providers(self, file: str, facts: CodeFacts, sources: Sources) -> Iterator[Finding]:
        for required in facts.required:
            yield from self._provider(file, required.line, required.name, required.source)
        implied: dict[str, int | None] = {}
        for resource in facts.resources:
            implied.setdefault(resource.provider, resource.line)
        for configured in facts.configured:
            implied.setdefault(configured.name, configured.line)
        for name, line in implied.items():
            if name not in sources and name != BUILT_IN:
                yield from self._provider(file, line, name, f"hashicorp/{name}")

    def _provider(self, file: str, line: int | None, name: str, source: str | None) -> Iterator[Finding]:
        if source is None:
            message = f"Where the provider {name!r} comes from cannot be determined."
            yield Finding("error", "provider", message, "Write its source as a plain string.", file, line)
        elif not is_listed_provider(source, self.allowed):
            message = f"The provider {source} is not listed: it is a program that runs in every plan."
            yield _unlisted("provider", message, ("providers", source), file, line)

    def state(self, file: str, data: bytes) -> Iterator[Finding]:
        """The providers that a state names, wherever they stand in it."""
        document = read_values("state.json", data)
        if document.problem is not None:
            line, why = document.problem
            message = f"Which providers this state names cannot be determined: {why}."
            yield Finding("error", "unreadable", message, "Keep states out of Git.", file, line or 1)
            return
        sources: dict[str, int] = {}
        for string in document.strings():
            # Terraform finds keys in any case.
            if string.path and string.path[-1].casefold() == "provider":
                match = STATE_PROVIDER.fullmatch(string.text)
                sources.setdefault(match[1] if match else "", string.line)
        for source, line in sources.items():
            yield from self._provider(file, line, "in a state", source or None)

    def module(
        self, file: str, line: int | None, source: str | None, what: str = "module"
    ) -> Iterator[Finding]:
        """Code that is not in the repository; `source` is None when it cannot be determined."""
        if source is None:
            message = f"Where the {what} comes from cannot be determined."
            advice = "Write the source as a plain string."
            yield Finding("error", "module-source", message, advice, file, line)
        elif not matches(source, self.allowed.modules):
            kind = what.partition(" ")[0]
            message = f"The {kind} source {source} is not listed: its code is not looked at."
            yield _unlisted("module-source", message, ("modules", source), file, line)

    def _backends(self, file: str, facts: CodeFacts) -> Iterator[Finding]:
        for backend in facts.backends:
            kind = literal(backend.kind or ()) or ""
            if not matches(kind, self.allowed.backends):
                message = f"The backend {kind!r} is not listed: states would go there."
                yield _unlisted("backend", message, ("backends", kind), file, backend.line)
            yield from _store_arguments(file, backend, f"the backend {kind!r}")

    # Findings that depend on the variables of a root or a caller

    def instance(
        self, files: Mapping[str, CodeFacts], location: CodeLocation, *, is_root: bool
    ) -> Iterator[Finding]:
        """Findings in a folder's files with the variables of `location`."""
        sources = _sources(files)
        for file, facts in files.items():
            for use in facts.reads:
                if use.function == "templatestring" and self.is_terraform:
                    continue
                why = read_problem(self.tree, use, location)
                if why:
                    yield file_finding(f"`{use.function}` {why}.", file, use.line)
            for state in facts.states:
                yield from self._remote_state(file, state, location)
            for backend in facts.backends if is_root else ():
                yield from self._settings(file, backend, literal(backend.kind or ()), location, "backend")
            for block_name, capabilities, settings in _checked_settings(facts, sources):
                for used in providers.checked_settings(settings, capabilities):
                    yield from self._used(file, used, block_name, settings, location)
                for setting in settings:
                    scheme = providers.refused_scheme(setting, capabilities, location.scope)
                    if scheme:
                        message = f"{block_name} sets {setting.name}: {scheme}."
                        yield Finding(
                            "error", "provider-argument", message, "Leave it out.", file, setting.line
                        )

    def _used(
        self,
        file: str,
        used: CheckedSetting,
        block_name: str,
        settings: tuple[Setting, ...],
        location: CodeLocation,
    ) -> Iterator[Finding]:
        """A setting whose value names a file, a chart or a bucket."""
        setting = used.setting
        if setting.text is None or setting.text == NULL:
            return
        match used.use:
            case "path" | "deferred" | "written":
                why = path_problem(self.tree, setting.text, location)
                why = None if why and used.use == "deferred" and "cannot be determined" in why else why
                why = why or self._whole_repository(setting.text, location)
                if why:
                    yield file_finding(f"`{setting.name}` of {block_name} {why}.", file, setting.line)
            case "chart":
                yield from self._chart(file, setting, block_name, settings, location)
            case "bucket":
                bucket = _resolve_literal(setting.text, location.scope)
                if bucket is None or matches(bucket, self.allowed.buckets):
                    which = (
                        "a bucket that cannot be determined"
                        if bucket is None
                        else f"the state bucket {bucket}"
                    )
                    message = f"{block_name} reads objects of {which}: a state may be among them."
                    advice = "Read outputs by `terraform_remote_state`."
                    yield Finding("error", "remote-state", message, advice, file, setting.line)

    def _whole_repository(self, text: Text, location: CodeLocation) -> str | None:
        """`.git` lies at the top of the repository, with what is in it."""
        resolved = resolve(text, location.scope)
        base = location.root
        if resolved and isinstance(resolved[0], Ref) and resolved[0].kind == "path":
            base = location.folder if resolved[0].name == "module" else location.root
            resolved = resolved[1:] or ("",)
        path = literal(resolved)
        is_top = path is not None and resolve_physical(self.tree, base, path) == ""
        return "takes the whole repository, `.git` with it" if is_top else None

    def _chart(
        self,
        file: str,
        chart: Setting,
        block_name: str,
        settings: tuple[Setting, ...],
        location: CodeLocation,
    ) -> Iterator[Finding]:
        """A chart, checked like the source of a module: by its repository where it has one."""
        repository = next(
            (each.text for each in settings if each.name == "repository" and each.text != NULL), None
        )
        if repository is not None:
            yield from self.module(
                file, chart.line, _resolve_literal(repository, location.scope), f"chart of {block_name}"
            )
            return
        text = resolve(chart.text or (), location.scope)
        beginning = literal_prefix(text)
        is_path = bool(text) and isinstance(text[0], Ref) and text[0].kind == "path"
        if is_path or beginning.startswith((".", "/", "~")):
            why = path_problem(self.tree, chart.text or (), location)
            if why:
                yield file_finding(f"`chart` of {block_name} {why}.", file, chart.line)
            return
        yield from self.module(file, chart.line, literal(text), f"chart of {block_name}")

    def _remote_state(self, file: str, state: StateStore, location: CodeLocation) -> Iterator[Finding]:
        kind = literal(resolve(state.kind, location.scope)) if state.kind is not None else None
        what = f"The remote state {state.name!r}"
        if state.kind is not None and kind is None:
            message = f"{what} has a backend that cannot be determined."
            advice = "Write it as a plain string."
            yield Finding("error", "remote-state", message, advice, file, state.line)
        elif kind is not None and not matches(kind, self.allowed.backends):
            message = f"{what} has the backend {kind!r}, which is not listed."
            yield _unlisted("remote-state", message, ("backends", kind), file, state.line)
        if state.settings is None:
            message = f"How {what[0].lower()}{what[1:]} is configured cannot be determined."
            advice = "Write `config = {…}` with plain keys."
            yield Finding("error", "remote-state", message, advice, file, state.line)
        else:
            yield from _store_arguments(file, state, what[0].lower() + what[1:])
            yield from self._settings(file, state, kind, location, "remote-state")

    def _settings(
        self, file: str, store: StateStore, kind: str | None, location: CodeLocation, rule: str
    ) -> Iterator[Finding]:
        settings = store.settings or {}
        if "bucket" in settings:
            bucket = _resolve_literal(settings["bucket"], location.scope)
            if bucket is None or not matches(bucket, self.allowed.buckets):
                which = "that cannot be determined" if bucket is None else f"{bucket}, which is not listed"
                message = f"This keeps or reads a state in a bucket {which}."
                if bucket is None:
                    advice = "Write its name as a plain string."
                    yield Finding("error", rule, message, advice, file, store.line)
                else:
                    yield _unlisted(rule, message, ("buckets", bucket), file, store.line)
        for key in ("path", "workspace_dir") if kind is None or backend_kind(kind).is_on_this_machine else ():
            if key in settings:
                why = path_problem(self.tree, settings[key], location)
                if why:
                    yield file_finding(f"A local state {why}.", file, store.line)


def texts_needing_names(facts: CodeFacts) -> Iterator[Text]:
    """The texts of settings that are checked with the names of a root or a caller."""
    for _, capabilities, settings in _checked_settings(facts, None):
        for used in providers.checked_settings(settings, capabilities):
            yield used.setting.text or ()
        for setting in settings:
            if any(setting.name in each.schemes for each in capabilities):
                yield setting.text or ()


def _checked_settings(
    facts: CodeFacts, sources: Sources | None
) -> Iterator[tuple[str, tuple[Capabilities, ...], tuple[Setting, ...]]]:
    """Blocks with settings that are checked by their value: what to call it, what it can do, its settings.

    Without `sources` a provider may be any.
    """
    for configured in facts.configured:
        name = configured.name
        capabilities = (
            providers.provider_capabilities(None) if sources is None else _capabilities(name, sources)
        )
        yield f"the provider {name!r}", capabilities, configured.settings
    for resource in facts.resources:
        if resource.settings:
            yield (
                f"{resource.kind} {resource.type!r}",
                providers.type_capabilities(resource.kind, resource.type),
                resource.settings,
            )


def _resolve_literal(text: Text, scope: NameScope) -> str | None:
    """A string with the variables of a scope resolved; None when it cannot be determined."""
    return literal(resolve(text, scope))


def _argument(message: str, file: str, line: int | None) -> Finding:
    return Finding("error", "provider-argument", message, "Leave it out.", file, line)


def _unlisted(rule: str, message: str, entry: tuple[str, str], file: str, line: int | None) -> Finding:
    """What an owner can list on trunk: `entry` is a key below `guard` and the value."""
    key, value = entry
    advice = f"An owner lists it on trunk: `guard: {{{key}: […, {value}]}}` in infra.yaml."
    return Finding("error", rule, message, advice, file, line, listed=entry)


def file_finding(message: str, file: str, line: int | None) -> Finding:
    """A path that leads elsewhere."""
    advice = "Let it begin with `${path.module}/` and name a file of the repository, without variables."
    return Finding("error", "file-path", message, advice, file, line)


def _type(file: str, resource: ResourceBlock) -> Iterator[Finding]:
    """A data source or action that is refused as such, and settings of a type that are."""
    capabilities = providers.type_capabilities(resource.kind, resource.type)
    refused = providers.refused_block(resource.settings, capabilities)
    if refused:
        message = f"{resource.kind} {resource.type!r} {refused}, in every plan."
        advice = "Give the value as a variable, or let a resource make it."
        yield Finding("error", "data-source", message, advice, file, resource.line)
        return
    for problem in providers.refused_settings(resource.settings, capabilities):
        message = f"{resource.kind} {resource.type!r} sets {problem.setting.name}: {problem.message}."
        yield _argument(message, file, problem.setting.line)


def _sources(files: Mapping[str, CodeFacts]) -> Sources:
    """Sources of the required providers by local name: more than one where files differ."""
    sources: dict[str, set[str | None]] = {}
    for facts in files.values():
        for required in facts.required:
            sources.setdefault(required.name, set()).add(required.source)
    return sources


def _capabilities(name: str, sources: Sources) -> tuple[Capabilities, ...]:
    """What the block of a provider with a local name can do."""
    candidates = sources.get(name, {f"hashicorp/{name}"})
    addresses = [provider_address(source) if source is not None else None for source in candidates]
    return tuple(each for address in addresses for each in providers.provider_capabilities(address))


def _provider_blocks(file: str, facts: CodeFacts, sources: Sources) -> Iterator[Finding]:
    for configured in facts.configured:
        capabilities = _capabilities(configured.name, sources)
        for problem in providers.refused_settings(configured.settings, capabilities):
            path = ".".join(problem.setting.path)
            message = f"The provider {configured.name!r} sets {path}: {problem.message}."
            yield Finding("error", "provider-argument", message, ENVIRONMENT, file, problem.setting.line)


def _provisioners(file: str, facts: CodeFacts) -> Iterator[Finding]:
    for each in facts.provisioners:
        message = f"A {each.name} in {each.of} runs commands of its own."
        advice = "Do it outside Terraform, or by a resource that does it."
        yield Finding("error", "provisioner", message, advice, file, each.line)


def _metas(file: str, facts: CodeFacts) -> Iterator[Finding]:
    for meta in facts.metas:
        message = f"`provider_meta {meta.name!r}` sends what cannot be determined with every request."
        yield Finding(
            "error", "provider-meta", message, "Write plain strings, or leave it out.", file, meta.line
        )


def _encryption(file: str, facts: CodeFacts) -> Iterator[Finding]:
    for each in facts.encryptions:
        why = _encryption_problem(each)
        if why:
            message = f"`encryption` has {why}, for every plan and state."
            advice = "Use `pbkdf2` or `gcp_kms` with `aes_gcm`, or set TF_ENCRYPTION in the job."
            yield Finding("error", "encryption", message, advice, file, each.line)


def _encryption_problem(each: NamedBlock) -> str | None:
    match each.of:
        case "key_provider" if each.name not in KEY_PROVIDERS:
            return f"the key provider {each.name!r}: it may run a program, or take credentials from elsewhere"
        case "method" if each.name not in METHODS:
            return f"the method {each.name!r}: it may run a program"
        case "setting" if STORE_ARGUMENT.fullmatch(each.name):
            return f"{each.name}: it decides who it is and where it sends requests"
        case _:
            return None


def _store_arguments(file: str, store: StateStore, what: str) -> Iterator[Finding]:
    for name in store.settings or ():
        if STORE_ARGUMENT.fullmatch(name):
            message = f"{what[0].upper()}{what[1:]} sets {name}: who it is and where it sends requests."
            yield Finding("error", "provider-argument", message, ENVIRONMENT, file, store.line)
