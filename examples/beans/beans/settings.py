"""Where an environment runs its pipeline: `deploy/ENVIRONMENT.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "deploy"
_HOSTS = {"registry": r"https://[a-z0-9-]+-kfp\.pkg\.dev/[^/]+/[^/]+", "data": r"gs://[^/]+/.+"}


class SettingsError(Exception):
    """A file of settings that cannot be used; the message names the file and the key."""


@dataclass(frozen=True)
class PipelineSettings:
    """One environment's settings.

    `registry` is the Artifact Registry repository of compiled pipelines, `artifacts` the bucket that the runs
    write to, and `runner` the account that they run as: outputs of the module `vertex-pipeline`. `cron` says
    when the model is trained again, and `parameters` are the pipeline's.
    """

    environment: str
    project: str
    location: str
    registry: str
    artifacts: str
    runner: str
    data: str
    cron: str
    parameters: dict[str, float | int | str] = field(default_factory=dict)

    @property
    def pipeline_parameters(self) -> dict[str, float | int | str]:
        """What the pipeline is run with in this environment."""
        return {"data": self.data, "project": self.project, "location": self.location, **self.parameters}


def read_settings(environment: str, folder: Path = FOLDER) -> PipelineSettings:
    """Reads the settings of an environment. Raises SettingsError."""
    if not re.fullmatch(r"[a-z0-9-]+", environment):
        raise SettingsError(f"{environment!r} is no name of an environment")
    path = folder / f"{environment}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.toml"))) or "none"
        raise SettingsError(f"{path} does not exist; there are settings for: {known}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from None
    return _checked(values, path, environment)


def _checked(values: dict[str, Any], path: Path, environment: str) -> PipelineSettings:
    names = {item.name for item in fields(PipelineSettings)} - {"environment"}
    if unknown := sorted(set(values) - names):
        raise SettingsError(f"{path}: unknown keys: {', '.join(unknown)}")
    if missing := sorted(names - {"parameters"} - set(values)):
        raise SettingsError(f"{path}: missing keys: {', '.join(missing)}")
    for name in names - {"parameters"}:
        if not isinstance(values[name], str) or not re.fullmatch(_HOSTS.get(name, ".+"), values[name]):
            raise SettingsError(f"{path}: {name} has an unexpected value: {values[name]!r}")
    parameters = values.get("parameters", {})
    if not isinstance(parameters, dict) or not all(
        isinstance(v, int | float | str) for v in parameters.values()
    ):
        raise SettingsError(f"{path}: parameters must be a table of numbers and texts")
    return PipelineSettings(environment, **{name: values[name] for name in sorted(names & set(values))})
