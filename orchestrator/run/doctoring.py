"""First checks: what has to hold on this machine and in this project before anything else works."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from orchestrator.config.rules import Guard
from orchestrator.engine.cli_configuration import cli_configuration_of
from orchestrator.engine.folders import Folders
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.engine.terraform_runner import binaries_for, constraints_of
from orchestrator.errors import ConfigError, InfraError
from orchestrator.guard.allowed import provider_address
from orchestrator.guard.providers import is_known
from orchestrator.process import Supervisor
from orchestrator.project.git import FULL_CLONE
from orchestrator.project.layout import require_stacks
from orchestrator.project.model import Project
from orchestrator.report.drift_history import heartbeat_words
from orchestrator.run.drift_history import heartbeats
from orchestrator.run.heartbeat import stale_words
from orchestrator.state.location import Location
from orchestrator.terraform.binaries import Binaries
from orchestrator.terraform.cli_configuration import IMPLIED_FOLDER
from orchestrator.terraform.environment import dropped_names, missing_cli_config

# `unseen` is what could not be looked at; it is never taken for fine.
Status = Literal["ok", "warning", "error", "unseen"]

# Variables that people set for Terraform and wonder about when they have no effect.
TELLING = (
    "TF_CLI_ARGS",
    "TF_LOG",
    "TF_WORKSPACE",
    "TF_DATA_DIR",
    "TF_REATTACH_PROVIDERS",
    "STORAGE_EMULATOR_HOST",
)

# Seconds that this machine's clock may be away from the bucket's before it is worth a word.
CLOCK_OFF = 60.0


@dataclass(frozen=True)
class Check:
    """One check: what was looked at, how it is, and what to do about it."""

    name: str
    status: Status
    message: str
    advice: str = ""


def examine(project: Project, environ: Mapping[str, str]) -> Iterator[Check]:
    """Every check, in order; each gives its findings as soon as it has them."""
    yield repository(project)
    yield from stacks(project)
    binaries, checks = terraform(project, environ)
    yield from checks
    if binaries:
        yield from constraints(project, binaries)
    yield from environment(environ)
    yield from cli_configuration(project, environ)
    yield from buckets(project, environ)
    yield from memory(project, environ)
    yield from drift(project, environ)
    yield lock_files(project)
    yield listed_providers(project.config.guard)


def repository(project: Project) -> Check:
    """Whether the clone has the history that `plan` compares with."""
    found = f"a repository at {project.root}, {len(project.stacks)} stacks"
    if not project.repository.is_shallow:
        return Check("git", "ok", found)
    return Check(
        "git", "warning", f"{found}; a shallow clone, in which what trunk had may be missing", FULL_CLONE
    )


def stacks(project: Project) -> Iterator[Check]:
    """Whether stacks are found where infra.yaml says."""
    try:
        require_stacks(project)
    except ConfigError as error:
        yield Check("stacks", "error", error.message, error.advice)


def terraform(project: Project, environ: Mapping[str, str]) -> tuple[Binaries | None, list[Check]]:
    """Which Terraform would be used, and whether a wrapper stands before it."""
    folders = Folders(project.root)
    try:
        folders.prepare()
        binaries = binaries_for(project, environ, Supervisor(), folders)
    except InfraError as error:
        return None, [Check("terraform", "error", error.message, error.advice)]
    binary = binaries.default
    found = [Check("terraform", "ok", f"{binary.product} {binary.version} ({binary.source}: {binary.path})")]
    if binary.path.name.endswith("-bin"):
        found.append(
            Check(
                "wrapper",
                "warning",
                "setup-terraform's wrapper stands before Terraform; it is passed by",
                "Give setup-terraform `terraform_wrapper: false`: the wrapper has lost exit codes.",
            )
        )
    return binaries, found


def constraints(project: Project, binaries: Binaries) -> Iterator[Check]:
    """Whether there is a Terraform for every stack: its version files and required_version are met."""
    problems: dict[str, InfraError] = {}
    for stack in project.stacks.values():
        try:
            binaries.choose(constraints_of(project, stack), project.root / stack.path)
        except InfraError as error:
            problems.setdefault(error.message, error)
    for problem in problems.values():
        yield Check("version", "error", problem.message, problem.advice)
    if not problems:
        yield Check("version", "ok", "it fits every .terraform-version and required_version")


def environment(environ: Mapping[str, str]) -> Iterator[Check]:
    """Variables that are set and that Terraform does not get, and input variables that it does get."""
    missing = missing_cli_config(environ)
    if missing:
        yield Check(
            "environment",
            "warning",
            f"TF_CLI_CONFIG_FILE names {missing}, which does not exist; it is not passed on",
            "Unset it, or make the file.",
        )
    dropped = [
        name
        for name in dropped_names(environ, sandbox=bool(environ.get("INFRA_SANDBOX")))
        if name.startswith(TELLING)
    ]
    if dropped:
        yield Check(
            "environment",
            "warning",
            f"Terraform does not get {', '.join(dropped)}",
            "Name what it needs under `environments.ENV.env` in infra.yaml.",
        )
    given = sorted(name for name in environ if name.startswith("TF_VAR_"))
    if given:
        yield Check("environment", "ok", f"every stack gets {', '.join(given)}")
    if not missing and not dropped:
        yield Check("environment", "ok", "nothing that Terraform would want is held back")


def cli_configuration(project: Project, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whose CLI configuration Terraform gets here, and what of it does not count."""
    try:
        chosen = cli_configuration_of(project, environ)
    except InfraError as error:
        yield Check("cli configuration", "error", error.message, error.advice)
        return
    for note in chosen.notes:
        yield Check("cli configuration", "warning", note)
    if chosen.text is not None:
        whose = "infra's own, without the user's files"
    else:
        whose = str(chosen.file) if chosen.file else "none; Terraform's defaults hold"
    yield Check("cli configuration", "ok", whose)
    folders = sorted(
        {
            f"{stack.path}/{IMPLIED_FOLDER}"
            for stack in project.stacks.values()
            if os.path.lexists(project.root / stack.path / IMPLIED_FOLDER)
        }
    )
    if folders:
        yield Check(
            "cli configuration",
            "warning",
            f"{', '.join(folders)}: Terraform gets no providers or plugins from there",
            "Remove it; a mirror belongs outside the repository.",
        )


def buckets(project: Project, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether the buckets that hold states can be reached, and keep old versions."""
    states = States(project, environ)
    names = {
        location.bucket
        for stack in project.stacks.values()
        if (location := states.location(stack)) and location.is_remote
    }
    for name in sorted(names):
        try:
            versions = states.bucket(Location(name, "")).keeps_versions()
        except InfraError as error:
            yield Check("bucket", "error", error.message, error.advice)
            continue
        if versions:
            yield Check("bucket", "ok", f"gs://{name} can be reached and keeps old versions")
        else:
            yield Check(
                "bucket",
                "warning",
                f"gs://{name} does not keep old versions: a state that was overwritten is lost",
                f"gcloud storage buckets update gs://{name} --versioning",
            )
    if not names:
        yield Check("bucket", "ok", "no state lies in a bucket")


def memory(project: Project, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether the ledgers can be read, what in them was cut off, and whether our clock is theirs."""
    found = Ledgers(project, States(project, environ), environ).among(project.stacks)
    known, cut_off, off = 0, [], 0.0
    for ledger in found:
        try:
            entries = ledger.entries()
            off = max(off, abs((ledger.storage.now() - datetime.now(UTC)).total_seconds()))
        except InfraError as error:
            yield Check("ledger", "error", f"{ledger.environment}: {error.message}", error.advice)
            return
        for entry in entries.values():
            if entry.problem:
                yield Check("ledger", "error", f"{entry.stack}: {entry.problem}", entry.remedy)
        known += sum(not entry.problem for entry in entries.values())
        judged = [ledger.judge(entry) for entry in entries.values() if entry.is_unfinished]
        cut_off += [entry.stack for entry, is_live in judged if entry.is_unfinished and not is_live]
    if cut_off:
        what = f"runs were cut off in {', '.join(sorted(cut_off))}"
        yield Check("ledger", "warning", what, "`infra resume` finds out what was applied and does the rest.")
    else:
        yield Check("ledger", "ok", f"it knows {known} of {len(project.stacks)} stacks, none cut off")
    if off > CLOCK_OFF:
        what = f"this machine's clock is {off:.0f} s away from the bucket's"
        yield Check("clock", "warning", what, "Ages are judged by the bucket's; credentials may be refused.")


def drift(project: Project, environ: Mapping[str, str]) -> Iterator[Check]:
    """When all of each environment was last checked for drift, and whether that is too long ago."""
    ledgers = Ledgers(project, States(project, environ), environ)
    try:
        inhabited = [name for name in project.environments if project.of(name)]
        beats = heartbeats(project, ledgers, inhabited)
    except InfraError as error:
        yield Check("drift", "unseen", f"when it was last checked could not be seen: {error.message}")
        return
    limit, now = project.config.drift.stale_after, datetime.now(UTC)
    late = {name: words for name, beat in beats.items() if (words := stale_words(name, beat, limit, now))}
    advice = "Look at the runs of infra-drift, or run `infra drift`; `infra drift --last` shows each stack."
    for words in late.values():
        yield Check("drift", "warning", words, advice)
    fresh = [f"{name}: {heartbeat_words(beat)}" for name, beat in beats.items() if name not in late]
    if fresh:
        yield Check("drift", "ok", "; ".join(fresh))


def listed_providers(rules: Guard) -> Check:
    """Whether the guard knows what the listed providers can do on the machine that plans."""
    unknown = [
        source
        for source in rules.providers
        if not is_globbed(source) and not is_known(provider_address(source))
    ]
    globs = [source for source in rules.providers if is_globbed(source)]
    if not unknown and not globs:
        return Check("guard", "ok", "the guard knows what every listed provider can do")
    named = ", ".join((*unknown, *globs))
    return Check(
        "guard",
        "warning",
        f"guard.providers lists {named}: what they can run or read in a plan is not in the guard's table",
        "Look into their documentation for arguments that run programs or read files.",
    )


def is_globbed(source: str) -> bool:
    """Whether an entry stands for more than one provider."""
    return "*" in source or "?" in source


def lock_files(project: Project) -> Check:
    """Whether every stack that uses providers has a dependency lock file."""
    lacking = [stack.id for stack in project.stacks.values() if stack.providers and not stack.lock_file]
    if not lacking:
        return Check("lock files", "ok", "every stack with providers has one")
    shown = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
    return Check(
        "lock files",
        "error" if project.config.lock_files == "required" else "warning",
        f"no {'.terraform.lock.hcl'} in {shown}: provider versions are not pinned",
        "Run `infra lock` and commit the files.",
    )


def outside(root: Path) -> list[Check]:
    """What can be said outside a project."""
    git = shutil.which("git")
    return [
        Check("git", "ok" if git else "error", f"git is {git}" if git else "there is no git on PATH"),
        Check(
            "project",
            "error",
            f"{root} is not in a Git repository",
            "Go to one, or try `infra demo`.",
        ),
    ]
