"""Which account a provider would use: the files of this machine that hold credentials.

Their contents are never read. A file that was written to has another identity.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# Below the home directory: where Google's, Amazon's, Microsoft's and Kubernetes' libraries, netrc and
# Terraform look.
_FILES = (
    ".config/gcloud/application_default_credentials.json",
    ".config/gcloud/active_config",
    ".config/gcloud/configurations/config_default",
    ".aws/credentials",
    ".aws/config",
    ".azure/azureProfile.json",
    ".azure/clouds.config",
    ".kube/config",
    ".netrc",
    ".terraform.d/credentials.tfrc.json",
)
# Folders in which each file is a login.
_FOLDERS = (".aws/sso/cache",)


def account_identity(env: Mapping[str, str]) -> tuple[str, ...]:
    """What changes when another account is logged in, or a file that a variable names is written."""
    home = env.get("HOME", "")
    paths = [Path(home, name) for name in _FILES] if home else []
    for folder in _FOLDERS if home else ():
        paths += sorted(Path(home, folder).glob("*"))
    return tuple(file_identity(path) for path in (*paths, *_named_files(env.values())))


def _named_files(values: Iterable[str]) -> Iterator[Path]:
    """The files that variables name; one variable may name several, as KUBECONFIG does."""
    for value in values:
        for part in value.split(os.pathsep):
            path = Path(part)
            with contextlib.suppress(OSError, ValueError):
                if path.is_absolute() and path.is_file():
                    yield path


def file_identity(path: Path) -> str:
    """A text that differs once the file is another one, or was written to."""
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return f"{path}: none"
    return f"{path}: {stat.st_dev} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
