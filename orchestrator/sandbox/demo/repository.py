"""The throw-away repository that the demo plays in, laid out from the example that comes with infra."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from datetime import date, timedelta
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

# The other change: a second subnetwork for staging, in a region that it does not use yet.
NEW_REGION = "europe-north1"
_SUBNETS = Path("infra/envs/staging/network/main.tf")
_LAST_SUBNET = re.compile(r"(\n    main = \{.*?\n    \}\n)", re.DOTALL)
_NEW_SUBNET = f"""
    jobs = {{
      region        = "{NEW_REGION}"
      ip_cidr_range = "10.21.0.0/20"
    }}
"""
# What infra.yaml says about drift here.
IGNORED_ATTRIBUTE = "template[0].scaling[0].max_instance_count"
_DRIFT = """
drift:
  ignore:
    - address: module.service.google_cloud_run_v2_service.this
      attribute: {attribute}
      reason: Whoever is on call may raise it.
      until: {until}
  actions:
    staging: {{reverted: pr}}
"""
RULE_LASTS = timedelta(days=90)

# What runs and jobs leave in the repository's folder.
_IGNORED = (".infra/", ".terraform/", "reports/")

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


def find_example() -> Path:
    """The folder with the example's infra.yaml and infra/: in the package, or the checkout itself."""
    parent = Path(__file__).resolve().parents[1]
    for root in (parent / "example", parent.parents[1]):
        if (root / "infra.yaml").is_file() and (root / "infra/envs").is_dir():
            return root
    raise SandboxError(
        "The example that the demo plays with is missing from this installation.",
        advice="Install infra again, from a wheel or from a checkout.",
    )


def lay_out(target: Path, today: date) -> None:
    """Copy the part of the example that the demo shows: two stacks in each of three environments.

    The rule about drift that it has lasts for a while from `today` on.
    """
    source = find_example()
    target.mkdir(parents=True, exist_ok=True)
    config = (source / "infra.yaml").read_text(encoding="utf-8")
    config += _DRIFT.format(attribute=IGNORED_ATTRIBUTE, until=today + RULE_LASTS)
    (target / "infra.yaml").write_text(config, encoding="utf-8")
    (target / ".gitignore").write_text("".join(f"{pattern}\n" for pattern in _IGNORED), encoding="utf-8")
    shutil.copytree(source / "infra/modules", target / "infra/modules", ignore=UNWANTED)
    for stack in STACKS:
        for environment in ENVIRONMENTS:
            root = Path("infra/envs") / environment / stack
            shutil.copytree(source / root, target / root, ignore=UNWANTED)


def change_memory(repository: Path) -> str:
    """Make the demo's change; what was changed, in words."""
    _replace(repository, CHANGED_FILE, BEFORE, AFTER)
    return f"{CHANGED_FILE}: every service gets 1Gi of memory instead of 512Mi"


def add_subnet(repository: Path) -> str:
    """Give staging another subnetwork; what was changed, in words."""
    _replace(repository, _SUBNETS, _LAST_SUBNET, rf"\1{_NEW_SUBNET}")
    return f"{_SUBNETS}: a subnetwork in {NEW_REGION}, which wants a router and a way out of its own"


def _replace(repository: Path, name: Path, before: re.Pattern[str], after: str) -> None:
    path = repository / name
    text, count = before.subn(after, path.read_text(encoding="utf-8"), count=1)
    if not count:
        raise SandboxError(f"{name} is not as the demo expects it.")
    path.write_text(text, encoding="utf-8")


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment of the demo's commands: ours, without what ties it to another repository or cloud."""
    foreign = ("GIT_", "TF_", "INFRA_", "GITHUB_", "GOOGLE_", "STORAGE_EMULATOR_HOST")
    return {
        **{name: value for name, value in base.items() if name != "CI" and not name.startswith(foreign)},
        **GIT,
    }
