"""infra.yaml's way from the disk to a `Config`."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.config.model import (
    Accounts,
    ApprovalIgnore,
    Backend,
    Config,
    Environment,
    GcsBackend,
    Lint,
    LintIgnore,
    LocalBackend,
    Masking,
    ProviderInstallation,
    Roots,
    SharedAccounts,
    SharedEnvironment,
    StackSettings,
    TerraformSettings,
    Timeouts,
)
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.config import raw

FILE_NAME = "infra.yaml"
MAX_BYTES = 1024 * 1024


def load(root: Path) -> Config:
    """The configuration of the repository at `root`; the defaults when it has no infra.yaml.

    ConfigError names file, line and key of each mistake; those after the first are in its `others`.
    """
    path = root / FILE_NAME
    if path.is_symlink():
        raise link_error(FILE_NAME)
    if path.exists() and not path.is_file():
        # A pipe would be waited for.
        raise ConfigError(
            "cannot be read: it is not a file", file=FILE_NAME, advice="It must be a file that you may read."
        )
    try:
        with path.open("rb") as file:
            # One byte more than is allowed tells that it is too much.
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        other = root / "infra.yml"
        if other.exists():
            raise ConfigError(
                "the configuration must be named infra.yaml",
                file="infra.yml",
                advice="Rename the file: git mv infra.yml infra.yaml",
            ) from None
        return Config()
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", file=FILE_NAME, advice="It must be a file that you may read."
        ) from None
    return load_text(data)


def link_error(file: str) -> ConfigError:
    """The error of an infra.yaml that is a link: it could show any file and evade CODEOWNERS."""
    return ConfigError(
        "is a link", file=file, advice="Put the file itself there: `infra.yaml` must be a regular file."
    )


def load_text(text: str | bytes, file: str = FILE_NAME) -> Config:
    """The configuration in a text, such as infra.yaml of another commit; `file` is how errors name it."""
    from orchestrator.config.mistakes import validate
    from orchestrator.config.tree import parse

    document = parse(_decoded(text, file) if isinstance(text, bytes) else text, file)
    valid = validate(document)
    given = tuple(_given(document.value))
    return _config(valid, file, given)


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            "is not UTF-8 text", file=file, line=line, advice="Save the file as UTF-8."
        ) from None


def _given(value: object, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key given, down to the settings of one environment or stack."""
    if not isinstance(value, dict) or len(above) == 3:
        return []
    keys: list[tuple[str, ...]] = []
    for key, below in value.items():
        path = (*above, key)
        keys += [path, *_given(below, path)]
    return keys


def _config(valid: raw.RawConfig, file: str, given: tuple[tuple[str, ...], ...]) -> Config:
    return Config(
        version=valid.version,
        trunk=valid.trunk,
        roots=Roots(PurePosixPath(valid.roots.modules), PurePosixPath(valid.roots.envs)),
        exclude=valid.exclude,
        terraform=_terraform(valid.terraform),
        backend=_backend(valid.backend),
        lock_files=valid.lock_files,
        accounts=SharedAccounts(valid.accounts.attest),
        environments={name: _environment(one) for name, one in valid.environments.items()},
        stacks={name: _stack(one) for name, one in valid.stacks.items()},
        lint=Lint(tuple(LintIgnore(one.rule, one.path, one.reason) for one in valid.lint.ignore)),
        masking=Masking(valid.masking.names, valid.masking.attributes, valid.masking.patterns),
        policy=valid.policy.policy(),
        guard=valid.guard.guard(),
        drift=valid.drift.drift(),
        file=file,
        given=given,
    )


def _terraform(valid: raw.RawTerraform) -> TerraformSettings:
    sources = valid.provider_installation
    has_mirrors = bool(sources.filesystem_mirror or sources.network_mirror)
    return TerraformSettings(
        binary=valid.binary,
        version=valid.version,
        binaries=valid.binaries,
        provider_installation=ProviderInstallation(
            filesystem_mirror=sources.filesystem_mirror,
            network_mirror=tuple(f"{url.rstrip('/')}/" for url in sources.network_mirror),
            direct=sources.direct if sources.direct is not None else not has_mirrors,
        ),
        cli_config=valid.cli_config,
        credentials=tuple(host.lower() for host in valid.credentials),
    )


def _backend(valid: raw.RawBackend | None) -> Backend | None:
    if valid is None:
        return None
    if valid.gcs is not None:
        return GcsBackend(valid.gcs.bucket, valid.gcs.prefix.strip("/"))
    return LocalBackend(valid.local.path) if valid.local is not None else None


def _environment(valid: raw.RawEnvironment) -> Environment:
    return Environment(
        protected=valid.protected,
        apply=valid.apply,
        approval=valid.approval,
        approved_by=valid.approved_by,
        approval_ignores=tuple(
            ApprovalIgnore(one.address, one.attribute, one.reason) for one in valid.approval_ignores
        ),
        unapproved=valid.unapproved,
        accounts=Accounts(valid.accounts.plan, valid.accounts.apply, valid.accounts.drift),
        var_files=_paths(valid.var_files),
        env=valid.env,
        timeouts=Timeouts(valid.timeouts.plan, valid.timeouts.apply, valid.timeouts.unlock),
        parallelism=valid.parallelism,
        checks=tuple(one.check() for one in valid.checks),
        soak=valid.soak,
    )


def _stack(valid: raw.RawStack) -> StackSettings:
    shared = valid.environments or {}
    return StackSettings(
        depends_on=valid.depends_on,
        reads=_paths(valid.reads),
        moved=valid.moved,
        moved_from=valid.moved_from,
        path=None if valid.path is None else PurePosixPath(valid.path),
        environments={
            name: SharedEnvironment(
                _paths(environment.var_files), environment.workspace, environment.moved_from
            )
            for name, environment in shared.items()
        },
    )


def _paths(texts: tuple[str, ...]) -> tuple[PurePosixPath, ...]:
    return tuple(PurePosixPath(text) for text in texts)
