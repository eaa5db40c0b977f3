"""Loads infra.yaml from disk, validates it and builds a `Config`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.model import Config
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
    from orchestrator.config.validation import validate
    from orchestrator.config.yaml_document import parse_yaml

    if isinstance(text, bytes):
        text = _decoded(text, file)
    if len(text) > MAX_BYTES:
        raise ConfigError(
            f"the file is larger than {MAX_BYTES // 1024} KiB",
            file=file,
            advice="infra.yaml holds settings only; look for what was pasted into it.",
        )
    document = parse_yaml(text, file)
    valid = validate(document)
    keys = tuple(_key_paths(document.value))
    return _config(valid, file, keys)


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            "is not UTF-8 text", file=file, line=line, advice="Save the file as UTF-8."
        ) from None


def _key_paths(value: object, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every key that the file sets, down to the settings of one environment or stack."""
    if not isinstance(value, dict) or len(above) == 3:
        return []
    keys: list[tuple[str, ...]] = []
    for key, below in value.items():
        path = (*above, key)
        keys += [path, *_key_paths(below, path)]
    return keys


def _config(valid: raw.RawConfig, file: str, keys: tuple[tuple[str, ...], ...]) -> Config:
    flat = ("plan", "test")
    sections = {name: getattr(valid, name) for name in type(valid).model_fields if name not in flat}
    return Config(
        **sections,
        plan_reuse=valid.plan.reuse,
        test_required=valid.test.required,
        file=file,
        given_keys=keys,
    )
