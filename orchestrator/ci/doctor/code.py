"""What the repository's own files must say: who owns what rules the rest, and whom Google trusts."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.ci.doctor.check import GitHubCheck, doubtful, fine, wrong
from orchestrator.config import FILE_NAME
from orchestrator.project import codeowners
from orchestrator.project.model import Project
from orchestrator.repository.hcl import Block

# What decides over everything else, each with a path that stands for it.
RULING = (
    (FILE_NAME, FILE_NAME),
    (".github/workflows/", ".github/workflows/infra-apply.yml"),
    (".github/CODEOWNERS", ".github/CODEOWNERS"),
    ("policies/", "policies/any.rego"),
)
PROVIDER = "google_iam_workload_identity_pool_provider"
ISSUER = "token.actions.githubusercontent.com"
# A part of the composite mapping that names who may be what; see the module github-identity.
MAPPED = "attribute.infra"
# What the attribute is of the job that attests plans.
ATTESTS = b"'attest'"


def owners(project: Project) -> Iterator[GitHubCheck]:
    """Whether what rules the rest has owners."""
    found = codeowners.read(project.tree)
    if found.file is None:
        yield doubtful(
            "CODEOWNERS",
            "there is none",
            "Whoever may approve anything may approve a change of infra.yaml, the workflows or the policies.",
            "`infra init --owner @ORG/TEAM` writes one.",
        )
        return
    for line, mistake in found.mistakes:
        yield wrong(
            "CODEOWNERS",
            mistake,
            "GitHub skips the line, so what it was to protect has no owner.",
            "Correct the line.",
            file=found.file,
            line=line,
        )
    bare = [shown for shown, path in RULING if not found.of(path)]
    if bare:
        yield wrong(
            "CODEOWNERS",
            f"nobody owns {', '.join(bare)}",
            "They decide what is planned, applied and allowed; a change of theirs is a change of everything.",
            "Add a line for each: `/infra.yaml @ORG/TEAM`. The last line that matches a path counts.",
            file=found.file,
        )
    elif not found.mistakes:
        yield fine("CODEOWNERS", f"{found.file} names owners of {', '.join(shown for shown, _ in RULING)}")


def identity(project: Project) -> Iterator[GitHubCheck]:
    """Whether Google takes the tokens of this repository alone, by numbers that nobody else can get."""
    from orchestrator.repository.hcl import read

    roots = project.config.roots
    places = tuple(f"{one}/" for one in (roots.modules, roots.envs, roots.envs.parent / "bootstrap"))
    found = [
        (path, block)
        for path in sorted(project.tree.ids)
        if path.startswith(places)
        and path.endswith(".tf")
        and PROVIDER.encode() in (data := project.tree.read(path))
        for block in read(path, data).of("resource")
        if block.labels[:1] == (PROVIDER,)
    ]
    bad = [check for path, block in found for check in _provider(path, block)]
    bad += [check for path, block in found for check in _attested(project, path, block)]
    yield from bad
    if found and not bad:
        yield fine("identity", "Google takes tokens of this repository alone, by its numbers")


def _attested(project: Project, path: str, block: Block) -> Iterator[GitHubCheck]:
    """Whether a job may attest plans; what the mapping names may stand in another file of its folder."""
    mapping = block.attributes.get("attribute_mapping")
    if not (mapping and MAPPED in (mapping.elements or {})):
        return
    folder = path.rpartition("/")[0]
    texts = [
        project.tree.read(f"{folder}/{name}") for name in project.tree.files(folder) if name.endswith(".tf")
    ]
    if not any(ATTESTS in text for text in texts):
        yield wrong(
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
        yield wrong(
            "identity",
            "infra.yaml names no account that attests",
            "Only plans that were attested count as approved, so nothing can be approved.",
            "Put `accounts: {attest: …}` into infra.yaml, as `infra bootstrap` prints it.",
            file="infra.yaml",
        )


def _provider(path: str, block: Block) -> Iterator[GitHubCheck]:
    """One provider for GitHub's tokens. Expressions are not evaluated: what counts is what they name."""
    issuer = " ".join(one.attributes["issuer_uri"].source for one in block.of("oidc") if one.attributes)
    if issuer.startswith('"') and ISSUER not in issuer:
        return
    condition = block.attributes.get("attribute_condition")
    text = condition.source if condition else ""
    lacking = [name for name in ("repository_owner_id", "repository_id") if f"assertion.{name}" not in text]
    if lacking:
        yield wrong(
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
        yield doubtful(
            "identity",
            f"attribute_mapping has no {MAPPED}",
            "A binding matches one attribute: `repository` or `ref` alone lets every workflow in.",
            "Map one attribute that says which job it is, as the module github-identity does.",
            file=path,
            line=mapping.line,
        )
