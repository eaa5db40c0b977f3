"""What a repository says besides its stacks: its host, the Terraform that it names, its pipelines."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Literal

from orchestrator.config.model import Install
from orchestrator.repository.source import Source
from orchestrator.repository.tree import Tree

Host = Literal["github", "gitlab", "bitbucket", "other", "none"]

_URL = re.compile(r"^(?:(?:https?|ssh)://)?(?:[^@/\s]+@)?([\w.-]+)(?::\d+)?[:/](.+?)(?:\.git)?/?$")
_VERSION = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?")
_TOOL = re.compile(r"(?m)^(terraform|opentofu)[ \t]+(\d+\.\d+\.\d+\S*)")
_SETUP = re.compile(r"(?m)^\s*(?:terraform|tofu)_version:\s*[\"']?(\d+\.\d+\.\d+[^\s\"'#]*)")
_RUNS = re.compile(rb"\b(terraform|tofu|terragrunt|atlantis)\b")
_PIPELINES = (
    ".gitlab-ci.yml",
    "bitbucket-pipelines.yml",
    "cloudbuild.yaml",
    "Jenkinsfile",
    "azure-pipelines.yml",
)
_TOOLS = ("atlantis.yaml", "terragrunt.hcl", "root.hcl", ".spacelift/config.yml", "terramate.tm.hcl")


@dataclass(frozen=True)
class RepositoryFacts:
    """`repository` is OWNER/NAME on `host`; `versions` say where which version of Terraform is named.

    `version` is the exact one, if all agree; `is_unread` that infra does not read it where it stands.
    `pipelines` are files of other tools or pipelines that run Terraform. `has_submodules` and `has_lfs` say
    what a checkout has to fetch besides.
    """

    host: Host
    repository: str
    versions: tuple[tuple[str, str], ...] = ()
    version: str | None = None
    is_unread: bool = False
    product: Literal["terraform", "tofu"] = "terraform"
    pipelines: tuple[str, ...] = ()
    has_submodules: bool = False
    has_lfs: bool = False

    @property
    def install(self) -> Install:
        """How workflows should get Terraform: by its setup action where the repository names a version."""
        return "setup" if self.version or self.product == "tofu" else "embedded"


def read_facts(source: Source, url: str | None) -> RepositoryFacts:
    """The facts of one tree; `url` is origin's address."""
    tree = source.tree
    host, repository = split_url(url)
    named = dict(_named_versions(tree))
    products = {product for product, _ in named.values()}
    versions = {version for _, version in named.values() if version}
    version = versions.pop() if len(versions) == 1 else None
    required = sorted(set(_required_versions(source)))
    versions_by_file = [(path, version) for path, (_, version) in named.items()]
    return RepositoryFacts(
        host,
        repository,
        (*versions_by_file, *(("required_version", text) for text in required)),
        version,
        bool(version) and not any(path.endswith(".terraform-version") for path in named),
        "tofu" if products == {"tofu"} else "terraform",
        tuple(_pipelines(tree)),
        bool(tree.submodules) or ".gitmodules" in tree.ids,
        any(
            b"filter=lfs" in tree.read(path)
            for path in tree.ids
            if posixpath.basename(path) == ".gitattributes"
        ),
    )


def split_url(url: str | None) -> tuple[Host, str]:
    """The host of a remote's address, and OWNER/NAME there; empty where it has none."""
    match = _URL.match(url or "")
    if not url:
        return "none", ""
    if match is None or "/" not in match[2]:
        return "other", ""
    name = match[1].lower()
    hosts: tuple[Host, ...] = ("github", "gitlab", "bitbucket")
    for host in hosts:
        if host in name.split("."):
            return host, match[2]
    return "other", match[2]


def _named_versions(tree: Tree) -> list[tuple[str, tuple[str, str]]]:
    """Files that name an exact version: the product and the version; empty for another form."""
    named: list[tuple[str, tuple[str, str]]] = []
    for path in sorted(tree.ids):
        name = posixpath.basename(path)
        if name in (".terraform-version", ".opentofu-version"):
            match = _VERSION.fullmatch(_text(tree, path).strip().removeprefix("v"))
            product = "terraform" if name == ".terraform-version" else "tofu"
            named.append((path, (product, match[0] if match else "")))
        elif path == ".tool-versions":
            for product, version in _TOOL.findall(_text(tree, path)):
                named.append((path, ("tofu" if product == "opentofu" else product, version)))
        elif _is_workflow(path):
            text = _text(tree, path)
            product = "tofu" if "setup-opentofu" in text else "terraform"
            named += [(path, (product, version)) for version in _SETUP.findall(text)[:1]]
    return named


def _required_versions(source: Source) -> list[str]:
    folders = {posixpath.dirname(path) for path in source.tree.ids if path.endswith((".tf", ".tf.json"))}
    return [text for folder in sorted(folders) for text in source.directory(folder).required_version]


def _is_workflow(path: str) -> bool:
    return (
        path.startswith(".github/workflows/")
        and path.endswith((".yml", ".yaml"))
        and not posixpath.basename(path).startswith("infra-")
    )


def _pipelines(tree: Tree) -> list[str]:
    """Files of pipelines that run Terraform, and of tools that infra takes the place of."""
    return [
        path
        for path in sorted(tree.ids)
        if path in _TOOLS
        or ((_is_workflow(path) or path in _PIPELINES) and _RUNS.search(tree.read(path)) is not None)
    ]


def _text(tree: Tree, path: str) -> str:
    return tree.read(path).decode("utf-8", "replace")
