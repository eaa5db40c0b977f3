"""The bootstrap's Terraform code, for a repository without it: copied from the reference that infra ships."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Sequence
from pathlib import Path

from orchestrator.config import GcsBackend
from orchestrator.project.model import Project
from orchestrator.run.bootstrapping import default_root

# In the reference: the code itself, and the modules that it calls.
CODE = ("main.tf", "outputs.tf", "variables.tf", "versions.tf")
MODULES = ("github-identity", "state-bucket")
VALUES = "terraform.tfvars"
UNWANTED = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*")


def write_bootstrap(project: Project, reference: Path, repository: tuple[str, str]) -> list[str]:
    """Write the bootstrap's root and its modules, and the values that are known; gives what was written.

    `reference` is the folder that holds `infra/bootstrap` and `infra/modules`, `repository` its owner and
    name on GitHub, empty where they are not known. Nothing that is there is replaced. Paths are relative to
    the project's root.
    """
    folder, modules = default_root(project), str(project.config.roots.modules)
    written = []
    for name in CODE:
        text = (reference / "infra/bootstrap" / name).read_text(encoding="utf-8")
        text = text.replace('"../modules/', f'"../{posixpath.basename(modules)}/')
        written += _write(project.root, f"{folder}/{name}", text)
    written += _write(project.root, f"{folder}/{VALUES}", values(project, repository))
    for name in MODULES:
        path = f"{modules}/{name}"
        if not (project.root / path).exists():
            shutil.copytree(reference / "infra/modules" / name, project.root / path, ignore=UNWANTED)
            written.append(f"{path}/")
    return written


def values(project: Project, repository: tuple[str, str]) -> str:
    """`terraform.tfvars` with what the repository says; what only people know is left as comments."""
    backend = project.config.backend
    bucket = backend.bucket if isinstance(backend, GcsBackend) else ""
    names = project.environments or tuple(project.config.environments)
    owner, name = repository
    return "\n".join(
        (
            "# Fill in the lines that are comments: variables.tf says what each is.",
            f'state_bucket = "{bucket}"' if bucket else '# state_bucket = "BUCKET"',
            '# state_location = "EU"',
            '# project_id = "PROJECT"',
            '# region = "europe-west1"',
            '# admins = ["group:GROUP@DOMAIN"]',
            "",
            "# `gh api repos/OWNER/NAME --jq '.owner.id, .id'` prints the ids.",
            *_commented(
                "repository = {",
                f'  owner    = "{owner or "OWNER"}"',
                '  owner_id = "NUMBER"',
                f'  name     = "{name or "NAME"}"',
                '  id       = "NUMBER"',
                "}",
            ),
            "",
            *_commented(
                "environments = {",
                *(f'  {one} = {{ project_id = "PROJECT" }}' for one in names or ("ENVIRONMENT",)),
                "}",
            ),
            "",
        )
    )


def _commented(*lines: str) -> Sequence[str]:
    return [f"# {line}" for line in lines]


def _write(root: Path, name: str, text: str) -> list[str]:
    path = root / name
    if path.exists():
        return []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return [name]
