"""The actions that workflows may use: one table with the commit that each is pinned to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PinnedAction:
    """An action by commit: a tag can be moved to another commit by whoever takes the repository over.

    `permission` is what a job must have for it, empty where that is none; `purpose` is for people.
    """

    name: str
    commit: str
    version: str
    permission: str
    purpose: str

    @property
    def reference(self) -> str:
        """What stands after `uses:`, with the version as a comment."""
        return f"{self.name}@{self.pin}"

    @property
    def pin(self) -> str:
        """The commit, with the version as a comment."""
        return f"{self.commit} # {self.version}"


CHECKOUT = PinnedAction(
    "actions/checkout", "08c6903cd8c0fde910a37f88322edcfb5dd907a8", "v5.0.0", "contents: read", "the code"
)
UPLOAD = PinnedAction(
    "actions/upload-artifact",
    "ea165f8d65b6e75b540449e92b4886f43607fa02",
    "v4.6.2",
    "",
    "reports for a later job",
)
DOWNLOAD = PinnedAction(
    "actions/download-artifact",
    "d3f86a106a0bac45b974a628896c90dbdf5c8093",
    "v4.3.0",
    "",
    "reports of an earlier job",
)
AUTH = PinnedAction(
    "google-github-actions/auth",
    "7c6bc770dae815cd3e89ee6cdf493a5fab2cc093",
    "v3.0.0",
    "id-token: write",
    "a Google account without a key",
)
SETUP_TERRAFORM = PinnedAction(
    "hashicorp/setup-terraform",
    "b9cd54a3c349d3f38e8881555d616ced269862dd",
    "v3.1.2",
    "",
    "Terraform, with `terraform.install: setup`",
)
SETUP_OPENTOFU = PinnedAction(
    "opentofu/setup-opentofu",
    "9d84900f3238fab8cd84ce47d658d25dd008be2f",
    "v1.0.8",
    "",
    "OpenTofu, with `terraform.install: setup`",
)
DEPLOY_PAGES = PinnedAction(
    "actions/deploy-pages",
    "d6db90164ac5ed86f2b6aed7e0febac5b3c0c03e",
    "v4.0.5",
    "pages: write",
    "the portal, with `infra init --portal pages`",
)
UPLOAD_SARIF = PinnedAction(
    "github/codeql-action/upload-sarif",
    "9e907b5e64f6b83e7804b09294d44122997950d6",
    "v4.32.3",
    "security-events: write",
    "findings for code scanning",
)
SETUP_INFRACOST = PinnedAction(
    "infracost/actions/setup",
    "e9d6e6cd65e168e76b0de50ff9957d2fe8bb1832",
    "v3.0.1",
    "",
    "infracost, where the cost of plans is estimated",
)

ACTIONS = (
    CHECKOUT,
    UPLOAD,
    DOWNLOAD,
    AUTH,
    SETUP_TERRAFORM,
    SETUP_OPENTOFU,
    SETUP_INFRACOST,
    DEPLOY_PAGES,
    UPLOAD_SARIF,
)
