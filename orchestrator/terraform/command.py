"""Terraform's argv, as pure functions over python-terraform's command grammar. Nothing is run here.

python-terraform's runner is not used: it gives no output before the end, no deadline, no signals, no
environment of its own, and it logs what it ran. Only its grammar is: lists repeat a flag, `IsFlagged` gives a
flag without value, underscores become dashes, None leaves an option out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from orchestrator.terraform.model import PlanOptions

# A flag without a value, such as -json.
FLAG = object()


def build(command: str, *arguments: str, **options: Any) -> tuple[str, ...]:
    """The argv of a command, without the program. Options keep their order and come before the arguments."""
    from python_terraform import IsFlagged, Terraform

    # The constructor reads a state file in the working directory; the grammar needs none of it.
    grammar = Terraform.__new__(Terraform)
    grammar.terraform_bin_path = "terraform"
    grammar_options = {name: IsFlagged if value is FLAG else value for name, value in options.items()}
    argv: Sequence[str] = grammar.generate_cmd_string(command, *arguments, **grammar_options)
    return tuple(argv[1:])


def init(
    backend_config: Mapping[str, str] | None = None, *, readonly_lock: bool, upgrade: bool = False
) -> tuple[str, ...]:
    """`init`. The backend of an earlier one is forgotten: what counts is the configuration of now."""
    return build(
        "init",
        input=False,
        no_color=FLAG,
        reconfigure=FLAG,
        lockfile="readonly" if readonly_lock else None,
        upgrade=FLAG if upgrade else None,
        backend_config=dict(backend_config or {}),
    )


def plan(options: PlanOptions, plan_file: Path) -> tuple[str, ...]:
    """`plan` into a file; exit code 2 means changes."""
    return build(
        "plan",
        input=False,
        no_color=FLAG,
        detailed_exitcode=FLAG,
        lock=options.lock,
        destroy=FLAG if options.destroy else None,
        refresh_only=FLAG if options.refresh_only else None,
        refresh=None if options.refresh else False,
        parallelism=options.parallelism,
        target=list(options.targets),
        replace=list(options.replaces),
        var_file=[str(file) for file in options.var_files],
        var=list(options.variables),
        out=str(plan_file),
    )


def apply(
    plan_file: Path,
    *,
    parallelism: int | None = None,
    lock_timeout: str | None = None,
    inputs: PlanOptions | None = None,
) -> tuple[str, ...]:
    """`apply` of a saved plan, its progress as JSON lines. A saved plan is never asked about.

    `inputs` gives variables again, as its plan got them: for ephemeral ones, which no plan file holds. All
    others must then have the values that the plan has.
    """
    return build(
        "apply",
        str(plan_file),
        json=FLAG,
        input=False,
        lock_timeout=lock_timeout,
        parallelism=parallelism,
        var_file=[str(file) for file in inputs.var_files] if inputs else [],
        var=list(inputs.variables) if inputs else [],
    )


def show_json(plan_file: Path | None = None) -> tuple[str, ...]:
    """`show -json` of a plan file, or of the state."""
    return build("show", *([str(plan_file)] if plan_file else []), json=FLAG)


def output() -> tuple[str, ...]:
    """All outputs as JSON; sensitive ones in clear."""
    return build("output", json=FLAG, no_color=FLAG)


def state_list(addresses: Sequence[str] = ()) -> tuple[str, ...]:
    """Addresses of the resources in the state."""
    return build("state list", *addresses)


def state_show(address: str) -> tuple[str, ...]:
    """One resource of the state, as text."""
    return build("state show", address, no_color=FLAG)


def state_pull() -> tuple[str, ...]:
    """The whole state."""
    return build("state pull")


def fmt_check(paths: Sequence[Path], *, diff: bool = False) -> tuple[str, ...]:
    """Names of files that are not formatted, and with `diff` how they should be; exit code 3 if any."""
    return build(
        "fmt",
        *map(str, paths),
        check=FLAG,
        recursive=FLAG,
        no_color=FLAG,
        diff=FLAG if diff else None,
    )


def fmt(paths: Sequence[Path]) -> tuple[str, ...]:
    """Format files in place; prints the names of those that it changed."""
    return build("fmt", *map(str, paths), recursive=FLAG, no_color=FLAG)


def validate() -> tuple[str, ...]:
    """`validate -json`."""
    return build("validate", json=FLAG)


def providers_schema() -> tuple[str, ...]:
    """The schemas of all providers in use, as JSON."""
    return build("providers schema", json=FLAG)


def graph() -> tuple[str, ...]:
    """Which resources depend on which, in the DOT language."""
    return build("graph")


def get() -> tuple[str, ...]:
    """Install modules, and nothing else."""
    return build("get", no_color=FLAG)


def providers_lock(
    platforms: Sequence[str],
    *,
    fs_mirror: Path | None = None,
    net_mirror: str | None = None,
    providers: Sequence[str] = (),
) -> tuple[str, ...]:
    """Write the lock file with every platform's checksums; mirrors of the CLI configuration do not count.

    With `providers` the others keep their entries.
    """
    return build(
        "providers lock",
        *providers,
        no_color=FLAG,
        fs_mirror=str(fs_mirror) if fs_mirror else None,
        net_mirror=net_mirror,
        platform=list(platforms),
    )


# reads: leaves states and resources alone. changes: may change them. refused: infra has a command for it, or
# it would leave the stack.
Effect = Literal["reads", "changes", "refused"]
_READS = """
version, validate, fmt, show, output, console, graph, plan, get, init, modules, login, logout, providers,
providers lock, providers mirror, providers schema, metadata functions, state list, state show, state pull,
state identities
"""
# `test` makes real resources where no provider is mocked.
_CHANGES = "import, taint, untaint, test, state mv, state rm, state push, state replace-provider"
_REFUSED = "apply, destroy, refresh, force-unlock, workspace, env"
EFFECTS: Mapping[str, Effect] = {
    **dict.fromkeys(re.split(r",\s+", _READS.strip()), "reads"),
    **dict.fromkeys(re.split(r",\s+", _CHANGES), "changes"),
    **dict.fromkeys(re.split(r",\s+", _REFUSED), "refused"),
}
# Commands whose second word says what they do.
_GROUPS = ("state", "providers", "metadata")
# Options by which `init` copies a state elsewhere.
_MIGRATES = ("migrate-state", "force-copy", "backend-config")
_TAKES_INPUT = frozenset({"apply", "destroy", "refresh", "import", "init", "plan"})


def effect_of(arguments: Sequence[str]) -> Effect:
    """What a command line of Terraform's does to a state or to what it describes.

    A command that is not known counts as one that changes it, and so does an `init` that moves the state.
    `-chdir` is refused: it leads to another stack.
    """
    if any(word.lstrip("-").startswith("chdir") for word in _global_options(arguments)):
        return "refused"
    words = [word for word in arguments if not word.startswith("-")]
    if not words:
        return "reads"
    if words[0] == "init" and any(_option(word) in _MIGRATES for word in arguments):
        return "changes"
    name = " ".join(words[:2]) if words[0] in _GROUPS else words[0]
    return EFFECTS.get(name, "changes")


def changes_state(arguments: Sequence[str]) -> bool:
    """True when a command line of Terraform's may change a state or what it describes.

    Those that `infra run` refuses count as well: infra runs them itself.
    """
    return effect_of(arguments) != "reads"


def _global_options(arguments: Sequence[str]) -> tuple[str, ...]:
    """The options before the command's own name."""
    return tuple(itertools.takewhile(lambda word: word.startswith("-"), arguments))


def _option(word: str) -> str:
    """An option's name: `backend-config` of `-backend-config=x`; empty for a word that is none."""
    return word.lstrip("-").partition("=")[0] if word.startswith("-") else ""


def writes_lock_file(arguments: Sequence[str]) -> bool:
    """True when a command line is meant to change the lock file beside the root module's files."""
    words = [word for word in arguments if not word.startswith("-")]
    return words[:1] == ["init"] or words[:2] == ["providers", "lock"]


def without_input(arguments: Sequence[str]) -> tuple[str, ...]:
    """The same command line, told not to ask, where the command has such an option."""
    for index, word in enumerate(arguments):
        if word.startswith("-"):
            continue
        if word in _TAKES_INPUT and not any(
            argument.lstrip("-").startswith("input=") for argument in arguments
        ):
            return (*arguments[: index + 1], "-input=false", *arguments[index + 1 :])
        break
    return tuple(arguments)
