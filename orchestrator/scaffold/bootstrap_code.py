"""The bootstrap's Terraform code, for a repository without it: copied from the reference that infra ships."""

from __future__ import annotations

import json
import posixpath
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.atomic_files import path_below, write_below
from orchestrator.repository.layout import BOOTSTRAP, default_bootstrap_root
from orchestrator.repository.model import Project

# In the reference: the code itself, and the modules that it calls.
CODE = ("main.tf", "outputs.tf", "variables.tf", "versions.tf")
MODULES = ("github-identity", "state-bucket")
VALUES = "terraform.tfvars"
UNWANTED = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*")


@dataclass(frozen=True)
class BootstrapNames:
    """The names that a bootstrap needs and that the repository does not say; empty where unknown.

    `bucket` is the bootstrap's own; `is_bucket_apart` says that infra.yaml names another one or none for the
    states. `projects` is the project of each environment. `owner` and `repository` are the names on GitHub,
    `owner_id` and `repository_id` its numbers.
    """

    bucket: str = ""
    project: str = ""
    region: str = ""
    location: str = ""
    admins: tuple[str, ...] = ()
    projects: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    owner_id: str = ""
    repository: str = ""
    repository_id: str = ""
    is_bucket_apart: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to fill in."""
        google = (self.bucket, self.project, self.region, self.location, *self.projects.values())
        github = (self.owner, self.owner_id, self.repository, self.repository_id)
        return all((*google, *github)) and bool(self.admins) and bool(self.projects)


def write_bootstrap(project: Project, reference: Path, names: BootstrapNames) -> list[str]:
    """Write the bootstrap's root and its modules, and the values that are known; gives what was written.

    `reference` is the folder that holds `infra/bootstrap` and `infra/modules`. Nothing that is there is
    replaced. Paths are relative to the project's root.
    """
    folder, modules = default_bootstrap_root(project), str(project.config.roots.modules)
    written = []
    for name in CODE:
        text = (reference / "infra/bootstrap" / name).read_text(encoding="utf-8")
        text = text.replace('"../modules/', f'"../{posixpath.basename(modules)}/')
        if names.is_bucket_apart and names.bucket:
            text = text.replace('backend "gcs" {}', _own_backend(names.bucket))
        written += _write(project.root, f"{folder}/{name}", text)
    written += _write(project.root, f"{folder}/{VALUES}", render_values(names))
    for name in MODULES:
        path = f"{modules}/{name}"
        target = path_below(project.root, path)
        if not target.exists():
            shutil.copytree(reference / "infra/modules" / name, target, ignore=UNWANTED)
            written.append(f"{path}/")
    return written


def render_values(names: BootstrapNames) -> str:
    """`terraform.tfvars` with the names; what is unknown is left as comments to fill in."""
    projects = names.projects or {"ENVIRONMENT": ""}
    admins = f"[{', '.join(map(_quoted, names.admins or ('group:GROUP@DOMAIN',)))}]"
    top = (
        (bool(names.bucket), "state_bucket", _quoted(names.bucket or "BUCKET")),
        (bool(names.location), "state_location", _quoted(names.location or "EU")),
        (bool(names.project), "project_id", _quoted(names.project or "PROJECT")),
        (bool(names.region), "region", _quoted(names.region or "europe-west1")),
        (bool(names.admins), "admins", admins),
    )
    return "\n".join(
        (
            "# What each is, variables.tf says."
            if names.is_complete
            else "# Fill in the lines that are comments: variables.tf says what each is.",
            *_align({name: value for is_known, name, value in top if is_known}),
            *_comment(_align({name: value for is_known, name, value in top if not is_known})),
            "",
            "# `gh api repos/OWNER/NAME --jq '.owner.id, .id'` prints the ids.",
            *_lines(
                names.owner and names.owner_id and names.repository and names.repository_id,
                "repository = {",
                f"  owner    = {_quoted(names.owner or 'OWNER')}",
                f"  owner_id = {_quoted(names.owner_id or 'NUMBER')}",
                f"  name     = {_quoted(names.repository or 'NAME')}",
                f"  id       = {_quoted(names.repository_id or 'NUMBER')}",
                "}",
            ),
            "",
            *_lines(
                bool(names.projects) and all(names.projects.values()),
                "environments = {",
                *(
                    f"  {line}"
                    for line in _align(
                        {
                            environment: f"{{ project_id = {_quoted(id_ or 'PROJECT')} }}"
                            for environment, id_ in projects.items()
                        }
                    )
                ),
                "}",
            ),
            "",
        )
    )


def _align(values: Mapping[str, str]) -> list[str]:
    """Assignments on lines that follow each other, as `terraform fmt` aligns them."""
    width = max(map(len, values), default=0)
    return [f"{name:<{width}} = {value}" for name, value in values.items()]


def _comment(lines: Sequence[str]) -> list[str]:
    return [f"# {line}" for line in lines]


def _own_backend(bucket: str) -> str:
    """The backend block of a bootstrap whose bucket infra.yaml does not name."""
    lines = ('backend "gcs" {', f"  bucket = {_quoted(bucket)}", f'  prefix = "{BOOTSTRAP}/state"', "}")
    return "\n  ".join(lines)


def _lines(known: object, *lines: str) -> Sequence[str]:
    """Lines of the file, as comments where what they say is not known."""
    return lines if known else _comment(lines)


def _quoted(text: str) -> str:
    """A string as HCL writes it; names hold nothing that it would read otherwise."""
    return json.dumps(text)


def _write(root: Path, name: str, text: str) -> list[str]:
    if path_below(root, name).exists():
        return []
    write_below(root, name, text.encode())
    return [name]
