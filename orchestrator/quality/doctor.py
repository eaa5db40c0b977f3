"""The checks of `infra doctor`: this machine, the project, and the bucket."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.config.rules import Guard
from orchestrator.drift.heartbeat import describe_heartbeat, describe_stale, load_heartbeats
from orchestrator.engine.cli_configuration import cli_configuration_of
from orchestrator.engine.folders import Folders
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.origin import is_ci
from orchestrator.engine.states import EMULATOR, States, refuse_half_simulated
from orchestrator.engine.terraform_runner import binaries_for, constraints_of
from orchestrator.errors import (
    BucketMissingError,
    ConfigError,
    ForbiddenError,
    InfraError,
    OwnershipError,
    ProcessError,
)
from orchestrator.guard.allowlist import provider_address
from orchestrator.guard.providers import is_known
from orchestrator.plan.infracost import API_KEY, PRICES, PROGRAM
from orchestrator.process import Supervisor
from orchestrator.report.doctor_check import DoctorCheck
from orchestrator.repository.advice import advice_for
from orchestrator.repository.git import FULL_CLONE
from orchestrator.repository.layout import require_stacks
from orchestrator.repository.model import Project
from orchestrator.repository.validation import approval_problems
from orchestrator.state.location import Location
from orchestrator.terraform.binaries import Binaries
from orchestrator.terraform.cli_configuration import IMPLIED_FOLDER
from orchestrator.terraform.environment import dropped_names, in_sandbox, missing_cli_config
from orchestrator.terraform.warm.host_folder import host_folder, prepare_host_folder
from orchestrator.terraform.warm.providers import can_share_providers
from orchestrator.terraform.warm.shared import host_statuses

# Variables that users set for Terraform and that infra does not pass on.
DROPPED_PREFIXES = (
    "TF_CLI_ARGS",
    "TF_LOG",
    "TF_WORKSPACE",
    "TF_DATA_DIR",
    "TF_REATTACH_PROVIDERS",
    "STORAGE_EMULATOR_HOST",
)

# The checks whose errors are mistakes of the configuration: whose memory it is, which variables count, and
# what approves.
OWNER, VARIABLES, APPROVAL = "memory", "environment", "approval"
# Seconds that this machine's clock may differ from the bucket's.
CLOCK_TOLERANCE = 60.0


def run_checks(project: Project, environ: Mapping[str, str]) -> Iterator[DoctorCheck]:
    """Every check, in order; each gives its findings as soon as it has them."""
    yield _check_repository(project)
    yield from _check_stacks(project)
    for problem in approval_problems(project):
        yield DoctorCheck(APPROVAL, "error", problem.message, problem.advice)
    binaries, checks = check_terraform(project, environ)
    yield from checks
    if binaries:
        yield from check_constraints(project, binaries)
        yield check_warm_providers(project, environ, is_possible=can_share_providers())
    yield from check_environment(project, environ)
    yield from _check_cli_configuration(project, environ)
    yield from _check_buckets(project, environ)
    yield from check_memory(project, environ)
    yield from check_drift(project, environ)
    yield check_lock_files(project)
    yield check_listed_providers(project.config.guard)
    if project.config.cost:
        yield check_cost(environ)


def _check_repository(project: Project) -> DoctorCheck:
    """Whether the clone has the history that `plan` compares with."""
    summary = f"a repository at {project.root}, {len(project.stacks)} stacks"
    if not project.repository.is_shallow:
        return DoctorCheck("git", "ok", summary)
    return DoctorCheck(
        "git", "warning", f"{summary}; a shallow clone, in which what trunk had may be missing", FULL_CLONE
    )


def _check_stacks(project: Project) -> Iterator[DoctorCheck]:
    """Whether stacks are found where infra.yaml says."""
    try:
        require_stacks(project)
    except ConfigError as error:
        yield DoctorCheck("stacks", "error", error.message, error.advice)


def check_terraform(
    project: Project, environ: Mapping[str, str]
) -> tuple[Binaries | None, list[DoctorCheck]]:
    """Which Terraform would be used, and whether a wrapper stands before it."""
    folders = Folders(project.root)
    try:
        folders.prepare()
        binaries = binaries_for(project, environ, Supervisor(), folders)
    except InfraError as error:
        return None, [DoctorCheck("terraform", "error", error.message, error.advice)]
    binary = binaries.default
    checks = [
        DoctorCheck("terraform", "ok", f"{binary.product} {binary.version} ({binary.source}: {binary.path})")
    ]
    if binary.path.name.endswith("-bin"):
        checks.append(
            DoctorCheck(
                "wrapper",
                "warning",
                "setup-terraform's wrapper stands before Terraform; it is passed by",
                "Give setup-terraform `terraform_wrapper: false`: the wrapper has lost exit codes.",
            )
        )
    return binaries, checks


def check_constraints(project: Project, binaries: Binaries) -> Iterator[DoctorCheck]:
    """Whether there is a Terraform for every stack: its version files and required_version are met."""
    problems: dict[str, InfraError] = {}
    for stack in project.stacks.values():
        try:
            binaries.choose(constraints_of(project, stack), project.root / stack.path)
        except InfraError as error:
            problems.setdefault(error.message, error)
    for problem in problems.values():
        yield DoctorCheck("version", "error", problem.message, problem.advice)
    if not problems:
        yield DoctorCheck("version", "ok", "it fits every .terraform-version and required_version")


def check_warm_providers(project: Project, environ: Mapping[str, str], *, is_possible: bool) -> DoctorCheck:
    """Whether providers stay running between the plans of one run, and between runs."""
    if project.config.terraform.warm == "off":
        return DoctorCheck("providers", "ok", "every command starts its own (`terraform.warm: off`)")
    if not is_possible:
        return DoctorCheck(
            "providers",
            "warning",
            "every command starts its own, since gRPC is not installed",
            "Install infra with its extra `warm`, or set `terraform.warm: off`.",
        )
    idle = project.config.terraform.warm_idle
    if not idle or is_ci(environ):
        return DoctorCheck("providers", "ok", "they stay running between the plans of one run")
    folder = host_folder(environ)
    try:
        prepare_host_folder(folder)
    except ProcessError as error:
        return DoctorCheck("providers", "warning", error.message, error.advice)
    running = sum(len(host["providers"]) for host in host_statuses(folder))
    return DoctorCheck(
        "providers",
        "ok",
        f"they stay running until they were idle for {idle / 60:g} min: {running} now (`infra warm status`)",
    )


def check_environment(project: Project, environ: Mapping[str, str]) -> Iterator[DoctorCheck]:
    """Variables that are set and that Terraform does not get, and input variables that it does get."""
    missing = missing_cli_config(environ)
    if missing:
        yield DoctorCheck(
            "environment",
            "warning",
            f"TF_CLI_CONFIG_FILE names {missing}, which does not exist; it is not passed on",
            "Unset it, or make the file.",
        )
    dropped: dict[str, list[str]] = {}
    for name in project.environments:
        passed = project.config.environment(name).env
        for variable in dropped_names(environ, passed=passed, sandbox=in_sandbox(environ)):
            if variable.startswith(DROPPED_PREFIXES):
                dropped.setdefault(variable, []).append(name)
    for variable, names in sorted(dropped.items()):
        where = "" if len(names) == len(project.environments) else f" in {', '.join(names)}"
        try:
            refuse_half_simulated(project, environ if variable == EMULATOR else {})
        except ConfigError as error:
            yield DoctorCheck(VARIABLES, "error", error.message, error.advice)
            continue
        yield DoctorCheck(
            "environment",
            "warning",
            f"Terraform does not get {variable}{where}",
            f"Name it under `environments.{names[0]}.env` in infra.yaml if it needs it.",
        )
    variables = sorted(name for name in environ if name.startswith("TF_VAR_"))
    if variables:
        yield DoctorCheck("environment", "ok", f"every stack gets {', '.join(variables)}")
    if not missing and not dropped:
        yield DoctorCheck("environment", "ok", "nothing that Terraform would want is held back")


def _check_cli_configuration(project: Project, environ: Mapping[str, str]) -> Iterator[DoctorCheck]:
    """Whose CLI configuration Terraform gets here, and what of it does not count."""
    try:
        chosen = cli_configuration_of(project, environ)
    except InfraError as error:
        yield DoctorCheck("cli configuration", "error", error.message, error.advice)
        return
    for note in chosen.notes:
        yield DoctorCheck("cli configuration", "warning", note)
    if chosen.text is not None:
        whose = "infra's own, without the user's files"
    else:
        whose = str(chosen.file) if chosen.file else "none; Terraform's defaults hold"
    yield DoctorCheck("cli configuration", "ok", whose)
    folders = sorted(
        {
            f"{stack.path}/{IMPLIED_FOLDER}"
            for stack in project.stacks.values()
            if os.path.lexists(project.root / stack.path / IMPLIED_FOLDER)
        }
    )
    if folders:
        yield DoctorCheck(
            "cli configuration",
            "warning",
            f"{', '.join(folders)}: Terraform gets no providers or plugins from there",
            "Remove it; a mirror belongs outside the repository.",
        )


def _check_buckets(project: Project, environ: Mapping[str, str]) -> Iterator[DoctorCheck]:
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
            yield DoctorCheck("bucket", "error", error.message, error.advice)
            continue
        if versions:
            yield DoctorCheck("bucket", "ok", f"gs://{name} can be reached and keeps old versions")
        else:
            yield DoctorCheck(
                "bucket",
                "warning",
                f"gs://{name} does not keep old versions: a state that was overwritten is lost",
                f"gcloud storage buckets update gs://{name} --versioning",
            )
    if not names:
        yield DoctorCheck("bucket", "ok", "no state lies in a bucket")


def check_memory(project: Project, environ: Mapping[str, str]) -> Iterator[DoctorCheck]:
    """Whether the ledgers can be read, which runs were interrupted, and whether the clocks agree."""
    ledgers = Ledgers(project, States(project, environ), environ)
    yield from check_owners(ledgers)
    try:
        project_ledgers = ledgers.among(project.stacks)
    except (ConfigError, OwnershipError):
        return
    entry_count, interrupted, clock_difference = 0, [], 0.0
    for ledger in project_ledgers:
        try:
            entries = ledger.entries()
            clock_difference = max(
                clock_difference, abs((ledger.storage.now() - datetime.now(UTC)).total_seconds())
            )
        except InfraError as error:
            yield DoctorCheck("ledger", "error", f"{ledger.environment}: {error.message}", error.advice)
            return
        for entry in entries.values():
            if entry.problem:
                yield DoctorCheck("ledger", "error", f"{entry.stack}: {entry.problem}", entry.remedy)
        entry_count += sum(not entry.problem for entry in entries.values())
        checked = [ledger.check_liveness(entry) for entry in entries.values() if entry.is_unfinished]
        interrupted += [entry.stack for entry, is_live in checked if entry.is_unfinished and not is_live]
    if interrupted:
        what = f"runs were interrupted in {', '.join(sorted(interrupted))}"
        resume = (
            f"`infra resume {' '.join(sorted(interrupted))}` finds out what was applied and does the rest."
        )
        yield DoctorCheck("ledger", "warning", what, advice_for(project, resume))
    else:
        yield DoctorCheck(
            "ledger", "ok", f"it knows {entry_count} of {len(project.stacks)} stacks, none interrupted"
        )
    if clock_difference > CLOCK_TOLERANCE:
        what = f"this machine's clock is {clock_difference:.0f} s away from the bucket's"
        yield DoctorCheck(
            "clock", "warning", what, "Ages are judged by the bucket's; credentials may be refused."
        )


def check_owners(ledgers: Ledgers) -> Iterator[DoctorCheck]:
    """Whose memory the folders in buckets are, by their markers."""
    for folder in {folder.marker_url: folder for folder in ledgers.folders()}.values():
        try:
            ledgers.check_folder(folder)
            marker = ledgers.marker(folder)
        except ForbiddenError:
            advice = "Update infra/bootstrap and its modules, and run `infra bootstrap`: it grants that."
            yield DoctorCheck(OWNER, "warning", f"{folder.marker_url} may not be read: whose it is", advice)
        except BucketMissingError as error:
            yield DoctorCheck(OWNER, "unseen", f"whose it is could not be seen: {error.message}")
        except InfraError as error:
            yield DoctorCheck(OWNER, "error", error.message, error.advice)
        else:
            of = f"is that of {marker.repository.words}" if marker else "has no owner before the first apply"
            yield DoctorCheck(OWNER, "ok", f"gs://{folder.bucket}/{folder.prefix} {of}")


def check_drift(project: Project, environ: Mapping[str, str]) -> Iterator[DoctorCheck]:
    """When all of each environment was last checked for drift, and whether that is too long ago."""
    ledgers = Ledgers(project, States(project, environ), environ)
    try:
        inhabited = [name for name in project.environments if project.of(name)]
        beats = load_heartbeats(project, ledgers, inhabited)
    except InfraError as error:
        yield DoctorCheck("drift", "unseen", f"when it was last checked could not be seen: {error.message}")
        return
    limit, now = project.config.drift.stale_after, datetime.now(UTC)
    late = {name: words for name, beat in beats.items() if (words := describe_stale(name, beat, limit, now))}
    advice = "Look at the runs of infra-drift, or run `infra drift`; `infra drift --last` shows each stack."
    for words in late.values():
        yield DoctorCheck("drift", "warning", words, advice)
    fresh = [f"{name}: {describe_heartbeat(beat)}" for name, beat in beats.items() if name not in late]
    if fresh:
        yield DoctorCheck("drift", "ok", "; ".join(fresh))


def check_listed_providers(rules: Guard) -> DoctorCheck:
    """Whether the guard knows what the listed providers can do on the machine that plans."""
    unknown = [
        source
        for source in rules.providers
        if not _is_glob(source) and not is_known(provider_address(source))
    ]
    globs = [source for source in rules.providers if _is_glob(source)]
    if not unknown and not globs:
        return DoctorCheck("guard", "ok", "the guard knows what every listed provider can do")
    named = ", ".join((*unknown, *globs))
    return DoctorCheck(
        "guard",
        "warning",
        f"guard.providers lists {named}: what they can run or read in a plan is not in the guard's table",
        "Look into their documentation for arguments that run programs or read files.",
    )


def check_cost(environ: Mapping[str, str]) -> DoctorCheck:
    """Whether infracost is on PATH, and where it may take prices from."""
    program = shutil.which(PROGRAM, path=environ.get("PATH", ""))
    advice = "docs/cost.md says how to set it up; until then plans show no cost."
    if program is None:
        return DoctorCheck("cost", "warning", f"there is no program {PROGRAM} on PATH", advice)
    if not environ.get(API_KEY) and not environ.get(PRICES):
        words = f"{PROGRAM} is {program}; {API_KEY} is not set, so it needs a key in its own settings"
        return DoctorCheck("cost", "ok", words)
    return DoctorCheck("cost", "ok", f"{PROGRAM} is {program}")


def _is_glob(source: str) -> bool:
    """Whether an entry stands for more than one provider."""
    return "*" in source or "?" in source


def check_lock_files(project: Project) -> DoctorCheck:
    """Whether every stack that uses providers has a dependency lock file."""
    lacking = [stack.id for stack in project.stacks.values() if stack.providers and not stack.lock_file]
    if not lacking:
        return DoctorCheck("lock files", "ok", "every stack with providers has one")
    names = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
    return DoctorCheck(
        "lock files",
        "error" if project.config.lock_files == "required" else "warning",
        f"no {'.terraform.lock.hcl'} in {names}: provider versions are not pinned",
        "Run `infra lock` and commit the files.",
    )


def check_outside_project(root: Path) -> list[DoctorCheck]:
    """The checks outside a project."""
    git = shutil.which("git")
    return [
        DoctorCheck("git", "ok" if git else "error", f"git is {git}" if git else "there is no git on PATH"),
        DoctorCheck(
            "project",
            "error",
            f"{root} is not in a Git repository",
            "Go to one, or try `infra demo`.",
        ),
    ]
