"""Builds the environment of Terraform processes from an allowlist.

Code in a plan can read its environment. So what Terraform, Google's libraries, git, ssh and proxies need is
let through by name, the rest stays with us unless it is configured (`environments.ENV.env` in infra.yaml).
"""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import translate
from pathlib import Path

from orchestrator.job_tokens import without_token_requests
from orchestrator.process.machine import Machine

# Shell patterns, each with its reason in the group's comment. What any program needs:
PLAIN = (
    # the system: programs, home (credentials, CLI configuration), temporary files, terminal, language, time
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "TERM", "TZ", "LANG", "LANGUAGE"),
    *("LC_*", "XDG_*", "LD_LIBRARY_PATH", "DYLD_*"),
    # the network: proxies and certificates
    *(
        "*_proxy",
        "*_PROXY",
        "SSL_CERT_*",
        "SSL_*",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "NIX_SSL_CERT_FILE",
    ),
)
# And what Terraform needs besides.
ALLOWED = (
    *PLAIN,
    # modules from git; not GIT_DIR and the like, which a git hook sets and which would misguide a clone
    *("SSH_AUTH_SOCK", "SSH_AGENT_PID", "GIT_SSH*", "GIT_SSL_*", "GIT_ASKPASS", "GIT_CONFIG*"),
    *("GIT_TERMINAL_PROMPT", "NETRC"),
    # Google: credentials, project, region
    *("GOOGLE_*", "CLOUDSDK_*", "GCLOUD_*", "GCE_METADATA_*", "NO_GCE_CHECK", "USER_PROJECT_OVERRIDE"),
    # Kubernetes and Helm providers, which follow a cluster on Google
    *("KUBE_*", "KUBECONFIG", "HELM_*", "USE_GKE_GCLOUD_AUTH_PLUGIN"),
    # Terraform's and OpenTofu's own; what would change our argv, logs, folders or workspace is not here
    *("TF_VAR_*", "TF_TOKEN_*", "TF_CLI_CONFIG_FILE", "TF_REGISTRY_*", "TF_PROVIDER_DOWNLOAD_RETRY"),
    *("TF_ENCRYPTION", "TF_APPEND_USER_AGENT", "TF_STATE_PERSIST_INTERVAL"),
    # Go's runtime
    *("GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG"),
)

# Only within the sandbox: outside it they would send a plan of the real thing to a simulation.
SANDBOX = ("TF_REATTACH_PROVIDERS", "STORAGE_EMULATOR_HOST", "GITHUB_API_URL", "INFRA_SANDBOX")

# Each plan is one short process whose heap is small: collecting it seldom saves a quarter of its CPU. The
# limit keeps big providers from growing by that.
GO_TUNING = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}
_GIB = 1024 * 1024
# Below this limit a large provider would spend its time collecting.
_SMALLEST_LIMIT = _GIB // 4

ALWAYS = {
    "TF_IN_AUTOMATION": "1",
    "TF_INPUT": "0",
    "CHECKPOINT_DISABLE": "1",
    # OpenTofu installs a package without a known signing key otherwise.
    "OPENTOFU_ENFORCE_GPG_VALIDATION": "true",
}


def in_sandbox(environ: Mapping[str, str]) -> bool:
    """Whether `infra sandbox exec` has attached this process to a sandbox."""
    return bool(environ.get("INFRA_SANDBOX"))


def child_environment(
    base: Mapping[str, str],
    *,
    passed: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
    sandbox: bool = False,
    exists: Callable[[str], bool] = os.path.exists,
    tuning: Mapping[str, str] = GO_TUNING,
) -> dict[str, str]:
    """The whole environment of a Terraform process, from ours (`base`).

    `passed` are names or shell patterns that are configured to be let through, `extra` is set last. With
    `sandbox` the variables that attach Terraform to it are let through. `TF_VAR_*` always is. A
    TF_CLI_CONFIG_FILE that names a missing file is dropped: Terraform would warn in each command. `tuning`
    sets up Go's runtime where `base` does not (see `go_tuning`).
    """
    patterns = (*ALLOWED, *passed, *(SANDBOX if sandbox else ()))
    is_passed = _any_of(patterns).match
    in_job = base.get("GITHUB_ACTIONS") == "true"
    # In a job of GitHub Actions a secret or a variable that is not set is an empty text.
    variables = {name: value for name, value in base.items() if is_passed(name) and (value or not in_job)}
    variables = without_token_requests(variables)
    config = variables.get("TF_CLI_CONFIG_FILE")
    if config is not None and not exists(config):
        del variables["TF_CLI_CONFIG_FILE"]
    if "GOGC" not in variables:
        variables = {**tuning, **variables}
    return {**variables, **ALWAYS, **(extra or {})}


def go_tuning(machine: Machine, width: int) -> dict[str, str]:
    """The variables of Go's runtime for `width` Terraforms side by side.

    Go takes as many threads as the machine has cores, whatever the control group allows, and each Terraform
    does. So each gets its share of the cores, and two at least: its providers' answers are decoded while it
    works. Its share of the memory, half of it for its providers, decides how seldom it collects. All of it
    depends on limits alone and not on what is free now: a provider stays running only for the same variables.
    """
    tuning = dict(GO_TUNING)
    threads = max(2, math.ceil(machine.cores / max(1, width)))
    if threads < machine.all_cores:
        tuning["GOMAXPROCS"] = str(threads)
    share = _GIB if machine.memory is None else machine.memory // max(1, width) // 2
    if share < _GIB:
        tuning |= {"GOGC": "100", "GOMEMLIMIT": f"{max(_SMALLEST_LIMIT, share) // 1024}MiB"}
    return tuning


def plain_environment(
    base: Mapping[str, str], *, passed: Sequence[str], extra: Mapping[str, str], outside: Path | None
) -> dict[str, str]:
    """The whole environment of a program that gets no credentials but the variables `passed`, by name.

    Its PATH has no folder in `outside`, nor one that depends on where the program runs.
    """
    named = {name: base[name] for name in passed if name in base}
    plain = {name: value for name, value in base.items() if _any_of(PLAIN).match(name)}
    folders = [Path(folder) for folder in plain.get("PATH", "").split(os.pathsep)]
    outer = [
        folder
        for folder in folders
        if folder.is_absolute() and not (outside and folder.resolve().is_relative_to(outside))
    ]
    path = {"PATH": os.pathsep.join(map(str, outer))} if "PATH" in plain else {}
    return without_token_requests({**plain, **named, **path, **extra})


def dropped_names(
    base: Mapping[str, str],
    *,
    passed: Sequence[str] = (),
    sandbox: bool = False,
    exists: Callable[[str], bool] = os.path.exists,
) -> tuple[str, ...]:
    """The names in `base` that a Terraform process does not get, sorted."""
    child = child_environment(base, passed=passed, sandbox=sandbox, exists=exists)
    return tuple(sorted(name for name in base if name not in child))


def missing_cli_config(base: Mapping[str, str], exists: Callable[[str], bool] = os.path.exists) -> str | None:
    """The file that TF_CLI_CONFIG_FILE names, when there is none."""
    named = base.get("TF_CLI_CONFIG_FILE")
    return named if named is not None and not exists(named) else None


@functools.cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for shell patterns: a run asks for hundreds of names times dozens of patterns."""
    return re.compile("|".join(translate(pattern) for pattern in patterns))
