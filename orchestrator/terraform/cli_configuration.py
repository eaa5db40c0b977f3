"""Chooses Terraform's CLI configuration: the one that infra writes, or the user's own.

Terraform without `provider_installation` looks for provider packages in `terraform.d/plugins` below its
working directory, and runs what it finds: with a checkout as working directory, a pull request's programs. So
in CI Terraform gets a configuration with `provider_installation`, made from trunk's infra.yaml. On a laptop
the user's own file counts; where the working directory has a `terraform.d`, Terraform gets the same content
and the same local mirrors, without that folder.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import ProviderInstallation, TerraformSettings
from orchestrator.config.model import TOKENS
from orchestrator.errors import ConfigError, ProjectError

VARIABLE = "TF_CLI_CONFIG_FILE"
# Below the working directory: mirrors and plugins that Terraform uses without being told to.
IMPLIED_FOLDER = "terraform.d"
_DEV_OVERRIDES = re.compile(r"^\s*dev_overrides\b", re.MULTILINE)
_PROVIDER_INSTALLATION = re.compile(r'^\s*"?provider_installation\b', re.MULTILINE)


@dataclass(frozen=True)
class CliConfiguration:
    """`text` is what infra writes, None where `file`, the user's own, counts (None: there is none).

    `withheld` are variables that Terraform does not get; `notes` say what does not count and why.
    """

    text: str | None = None
    file: Path | None = None
    withheld: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def choose_cli_configuration(
    environ: Mapping[str, str], settings: TerraformSettings, checkout: Path, *, in_ci: bool
) -> CliConfiguration:
    """The CLI configuration for runs in a checkout.

    In CI it is made from `settings`, which must be trunk's. ConfigError for a mirror inside the checkout.
    """
    file = _user_file(environ)
    outside = file is None or not _is_inside(file, checkout)
    if not in_ci:
        if outside:
            return CliConfiguration(file=file)
        note = f"{file} lies in the checkout: Terraform does not get it as its CLI configuration."
        return CliConfiguration(render_cli_configuration(ProviderInstallation()), notes=(note,))
    withheld = _withheld_tokens(environ, settings)
    notes = []
    if withheld:
        notes.append(
            f"Terraform does not get {', '.join(withheld)}: list the host under `terraform.credentials` of "
            "infra.yaml on trunk."
        )
    if settings.cli_config == "environment" and environ.get(VARIABLE) and file is not None:
        if outside:
            return CliConfiguration(file=file, withheld=withheld, notes=tuple(notes))
        notes.append(f"{VARIABLE} names {file}, which lies in the checkout: it does not count.")
    installation = settings.provider_installation
    for folder in installation.filesystem_mirror:
        if _is_inside(Path(folder), checkout):
            raise ConfigError(
                f"the mirror {folder} lies in the checkout, where a pull request could put programs",
                file="infra.yaml",
                key="terraform.provider_installation.filesystem_mirror",
                advice="Name a folder outside the repository.",
            )
    return CliConfiguration(render_cli_configuration(installation), withheld=withheld, notes=tuple(notes))


def render_cli_configuration(installation: ProviderInstallation) -> str:
    """The text of a CLI configuration with these installation methods and nothing else."""
    methods = [_mirror("filesystem_mirror", "path", folder) for folder in installation.filesystem_mirror]
    methods += [_mirror("network_mirror", "url", url) for url in installation.network_mirror]
    if installation.uses_registries:
        methods.append("  direct {}")
    return "\n".join(["provider_installation {", *methods, "}", ""])


def _user_file(environ: Mapping[str, str]) -> Path | None:
    """The file that Terraform or OpenTofu reads by itself, if there is one.

    That is the variable's (a missing one is never passed on), else the one in the home directory.
    """
    home = _home(environ)
    named = [Path(environ[VARIABLE])] if environ.get(VARIABLE) else []
    return next((path for path in (*named, home / ".terraformrc", home / ".tofurc") if path.exists()), None)


def has_development_overrides(environ: Mapping[str, str]) -> bool:
    """Whether the file names providers under development, which no lock file describes."""
    settings = _user_file(environ)
    return settings is not None and bool(_DEV_OVERRIDES.search(settings.read_text("utf-8", "replace")))


def _withheld_tokens(environ: Mapping[str, str], settings: TerraformSettings) -> tuple[str, ...]:
    """The TF_TOKEN_* variables for hosts that neither `credentials` nor a network mirror names."""
    mirrors = (url.split("/")[2].partition(":")[0] for url in settings.provider_installation.network_mirror)
    hosts = {host.lower() for host in (*settings.credentials, *mirrors)}
    return tuple(sorted(name for name in environ if name.startswith(TOKENS) and _host(name) not in hosts))


def without_implied_folder(environ: Mapping[str, str]) -> str | None:
    """The user's configuration for a working directory whose `terraform.d` must not count.

    None where the user's configuration does not look into it anyway. ProjectError where that cannot be
    written down, because the configuration is JSON.
    """
    texts = [_text(path) for path in _user_files(environ)]
    if any(_PROVIDER_INSTALLATION.search(text) for text in texts):
        return None
    if any(text.lstrip().startswith("{") for text in texts):
        raise ProjectError(
            f"A stack's folder holds {IMPLIED_FOLDER}, from which Terraform would run programs.",
            advice=f"Remove {IMPLIED_FOLDER}, or give your CLI configuration a `provider_installation`.",
        )
    return "\n".join([*texts, _implied_mirrors(environ)])


def _user_files(environ: Mapping[str, str]) -> list[Path]:
    file = _user_file(environ)
    files = [file] if file else []
    if str(file) != environ.get(VARIABLE):
        folder = _home(environ) / ".terraform.d"
        files += sorted(path for path in _listed(folder) if path.name.endswith((".tfrc", ".tfrc.json")))
    return [path for path in files if path.name != "credentials.tfrc.json"]


def _implied_mirrors(environ: Mapping[str, str]) -> str:
    """What Terraform does without `provider_installation`, less the working directory's folder.

    A provider that a local mirror has is never looked for in its registry.
    """
    home = _home(environ)
    folders = [home / ".terraform.d" / "plugins"]
    if sys.platform == "darwin":
        support = "Library/Application Support/io.terraform/plugins"
        folders += [home / support, Path("/") / support]
    else:
        shared = environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
        data = [environ.get("XDG_DATA_HOME") or str(home / ".local" / "share"), *shared.split(":")]
        folders += [Path(folder) / "terraform" / "plugins" for folder in data if folder]
    present = [folder for folder in folders if folder.is_dir()]
    local = sorted({path.relative_to(folder).as_posix() for folder in present for path in _packages(folder)})
    lines = [_mirror("filesystem_mirror", "path", str(folder)) for folder in present]
    exclude = f"\n    exclude = [{', '.join(map(_string, local))}]\n  " if local else ""
    return "\n".join(["provider_installation {", *lines, f"  direct {{{exclude}}}", "}", ""])


def _packages(mirror: Path) -> Iterable[Path]:
    return (path for path in mirror.glob("*.*/*/*") if path.is_dir())


def _is_inside(path: Path, checkout: Path) -> bool:
    """Whether a path, as it is written or as links lead on, lies in the checkout."""
    written = Path(os.path.normpath(path.absolute()))
    return any(
        location.is_relative_to(folder)
        for location in (written, Path(os.path.realpath(path)))
        for folder in (checkout.absolute(), Path(os.path.realpath(checkout)))
    )


def _host(variable: str) -> str:
    """The host of a TF_TOKEN_* variable: dots are written as `_`, hyphens as `__`."""
    return variable.removeprefix(TOKENS).replace("__", "-").replace("_", ".").lower()


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or "/")


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _mirror(kind: str, argument: str, value: str) -> str:
    return f"  {kind} {{\n    {argument} = {_string(value)}\n  }}"


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
