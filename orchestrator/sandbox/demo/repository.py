"""The throw-away repository that the demo plays in, laid out from the example that comes with infra."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import SandboxError

ENVIRONMENTS = ("dev", "staging", "prod")
STACKS = ("network", "service")
UNWANTED = shutil.ignore_patterns(
    ".terraform", ".infra", "*.tfstate", "*.tfstate.*", "*.tfplan", "examples", "tests"
)

# The change that the demo makes: the memory that every service gets when it asks for nothing else.
CHANGED_FILE = Path("infra/modules/service/variables.tf")
BEFORE = re.compile(r'(memory\s*=\s*optional\(string, )"512Mi"')
AFTER = r'\1"1Gi"'

# Whoever commits in the demo, and nothing of the user's own git: no signing, no hooks, no templates.
GIT = {
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@example.com",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}


def example() -> Path:
    """The folder with the example's infra.yaml and infra/: in the package, or the checkout itself."""
    here = Path(__file__).resolve().parents[1]
    for root in (here / "example", here.parents[1]):
        if (root / "infra.yaml").is_file() and (root / "infra/envs").is_dir():
            return root
    raise SandboxError(
        "The example that the demo plays with is missing from this installation.",
        advice="Install infra again, from a wheel or from a checkout.",
    )


def lay_out(target: Path) -> None:
    """Copy the part of the example that the demo shows: two stacks in each of three environments."""
    source = example()
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "infra.yaml", target)
    shutil.copytree(source / "infra/modules", target / "infra/modules", ignore=UNWANTED)
    for stack in STACKS:
        for environment in ENVIRONMENTS:
            root = Path("infra/envs") / environment / stack
            shutil.copytree(source / root, target / root, ignore=UNWANTED)


def change(repository: Path) -> str:
    """Make the demo's change; what was changed, in words."""
    path = repository / CHANGED_FILE
    text, count = BEFORE.subn(AFTER, path.read_text(encoding="utf-8"), count=1)
    if not count:
        raise SandboxError(f"{CHANGED_FILE} is not as the demo expects it.")
    path.write_text(text, encoding="utf-8")
    return f"{CHANGED_FILE}: every service gets 1Gi of memory instead of 512Mi"


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment of the demo's commands: ours, without what ties it to another repository or cloud."""
    foreign = ("GIT_", "TF_", "INFRA_", "GITHUB_", "GOOGLE_", "STORAGE_EMULATOR_HOST")
    return {**{name: value for name, value in base.items() if not name.startswith(foreign)}, **GIT}
