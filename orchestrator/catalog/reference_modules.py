"""The modules that ship with infra, for repositories that lack one which a template calls."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.repository.hcl import read
from orchestrator.repository.model import Project
from orchestrator.repository.source import is_local

_PACKAGE = Path(__file__).parents[1]
# In a wheel, and in a checkout of infra itself.
_LOCATIONS = (_PACKAGE / "sandbox" / "example" / "infra" / "modules", _PACKAGE.parent / "infra" / "modules")


def missing_modules(project: Project, folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of shipped modules that the code of a new folder calls and the project lacks, by path."""
    missing: dict[str, bytes] = {}
    for path in sorted(set(_called_folders(folder, files))):
        if posixpath.dirname(path) == str(project.config.roots.modules) and not project.tree.is_folder(path):
            missing.update(_module_files(path))
    return missing


def _called_folders(folder: str, files: Mapping[str, bytes]) -> Iterator[str]:
    for name, data in files.items():
        if name.endswith(".tf"):
            for module in read(name, data).root.of("module"):
                source = module.attributes["source"].value if "source" in module.attributes else None
                if source is not None and is_local(source):
                    yield posixpath.normpath(posixpath.join(folder, posixpath.dirname(name), source))


def _module_files(path: str) -> dict[str, bytes]:
    name = posixpath.basename(path)
    folder = next((root / name for root in _LOCATIONS if (root / name).is_dir()), None)
    if folder is None:
        return {}
    return {
        posixpath.join(path, file.relative_to(folder).as_posix()): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts[:-1])
    }
