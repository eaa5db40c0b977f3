"""Checks CODEOWNERS and the workload identity provider in the repository's code."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.config import FILE_NAME
from orchestrator.forge.check import ForgeCheck
from orchestrator.forge.github.doctor.check import error_check, ok_check, warning_check
from orchestrator.repository import codeowners
from orchestrator.repository.hcl import Block
from orchestrator.repository.model import Project

_POLICIES = "policies/"
# What decides over everything else, each with a path that stands for it.
_RULING = (
    (FILE_NAME, FILE_NAME),
    (".github/workflows/", ".github/workflows/infra-apply.yml"),
    (".github/CODEOWNERS", ".github/CODEOWNERS"),
    (_POLICIES, f"{_POLICIES}any.rego"),
)
PROVIDER = "google_iam_workload_identity_pool_provider"
ISSUER = "token.actions.githubusercontent.com"
# A part of the composite mapping that names who may be what; see the module github-identity.
MAPPED = "attribute.infra"
# What the attribute is of the job that attests plans.
ATTESTS = b"'attest'"


def check_owners(project: Project) -> Iterator[ForgeCheck]:
    """Checks that infra.yaml, workflows, CODEOWNERS and policies have owners."""
    code_owners = codeowners.read(project.tree)
    if code_owners.file is None:
        yield warning_check(
            "CODEOWNERS",
            "there is none",
            "Whoever may approve anything may approve a change of infra.yaml, the workflows or the policies.",
            "`infra init --owner @ORG/TEAM` writes one.",
        )
        return
    for line, mistake in code_owners.mistakes:
        yield error_check(
            "CODEOWNERS",
            mistake,
            "GitHub skips the line, so what it was to protect has no owner.",
            "Correct the line.",
            file=code_owners.file,
            line=line,
        )
    # CODEOWNERS need not name a folder that does not exist: a first policy can only forbid.
    has_policies = any(path.startswith(_POLICIES) for path in project.tree.ids)
    ruling = [(label, path) for label, path in _RULING if has_policies or label != _POLICIES]
    bare = [label for label, path in ruling if not code_owners.of(path)]
    if bare:
        yield error_check(
            "CODEOWNERS",
            f"nobody owns {', '.join(bare)}",
            "They decide what is planned, applied and allowed; a change of theirs is a change of everything.",
            "Add a line for each: `/infra.yaml @ORG/TEAM`. The last line that matches a path counts.",
            file=code_owners.file,
        )
    elif not code_owners.mistakes:
        yield ok_check(
            "CODEOWNERS", f"{code_owners.file} names owners of {', '.join(label for label, _ in ruling)}"
        )


def check_identity(project: Project) -> Iterator[ForgeCheck]:
    """Checks that Google accepts tokens of this repository only, by immutable ids."""
    from orchestrator.repository.hcl import read

    roots = project.config.roots
    folders = tuple(
        f"{pure_posix_path}/"
        for pure_posix_path in (roots.modules, roots.envs, roots.envs.parent / "bootstrap")
    )
    providers = [
        (path, block)
        for path in sorted(project.tree.ids)
        if path.startswith(folders)
        and path.endswith(".tf")
        and PROVIDER.encode() in (data := project.tree.read(path))
        for block in read(path, data).of("resource")
        if block.labels[:1] == (PROVIDER,)
    ]
    problems = [check for path, block in providers for check in _provider(path, block)]
    problems += [check for path, block in providers for check in _attested(project, path, block)]
    yield from problems
    if providers and not problems:
        yield ok_check("identity", "Google takes tokens of this repository alone, by its numbers")


def _attested(project: Project, path: str, block: Block) -> Iterator[ForgeCheck]:
    """Checks that a job may attest plans; the mapping's value may be in another file of its folder."""
    mapping = block.attributes.get("attribute_mapping")
    if not (mapping and MAPPED in (mapping.elements or {})):
        return
    folder = path.rpartition("/")[0]
    texts = [
        project.tree.read(f"{folder}/{name}") for name in project.tree.files(folder) if name.endswith(".tf")
    ]
    if not any(ATTESTS in text for text in texts):
        yield error_check(
            "identity",
            f"{MAPPED} knows no job that attests: it is of an earlier infra",
            "Only plans that were attested count as approved, and one plan workflow served all environments.",
            "Take the module github-identity of this version, run `infra bootstrap`, and put the account "
            "that it prints into infra.yaml.",
            file=path,
            line=mapping.line,
        )
    elif project.config.accounts.attest is None and any(
        environment.accounts.plan for environment in project.config.environments.values()
    ):
        yield error_check(
            "identity",
            "infra.yaml names no account that attests",
            "Only plans that were attested count as approved, so nothing can be approved.",
            "Put `accounts: {attest: …}` into infra.yaml, as `infra bootstrap` prints it.",
            file="infra.yaml",
        )


def _provider(path: str, block: Block) -> Iterator[ForgeCheck]:
    """Checks one provider for GitHub's tokens. Expressions are not evaluated, only searched for names."""
    issuer = " ".join(
        oidc_block.attributes["issuer_uri"].source for oidc_block in block.of("oidc") if oidc_block.attributes
    )
    if issuer.startswith('"') and ISSUER not in issuer:
        return
    condition = block.attributes.get("attribute_condition")
    text = condition.source if condition else ""
    lacking = [name for name in ("repository_owner_id", "repository_id") if f"assertion.{name}" not in text]
    if lacking:
        yield error_check(
            "identity",
            f"attribute_condition {'does not name' if condition else 'is missing: it does not name'} "
            + " and ".join(f"assertion.{name}" for name in lacking),
            "Tokens of any repository on GitHub are taken, or of whoever gets this one's name after you.",
            "Compare both with the numbers, joined by `&&`, as the module github-identity does.",
            file=path,
            line=condition.line if condition else block.line,
        )
    mapping = block.attributes.get("attribute_mapping")
    if mapping and mapping.elements and MAPPED not in mapping.elements:
        yield warning_check(
            "identity",
            f"attribute_mapping has no {MAPPED}",
            "A binding matches one attribute: `repository` or `ref` alone lets every workflow in.",
            "Map one attribute that says which job it is, as the module github-identity does.",
            file=path,
            line=mapping.line,
        )
