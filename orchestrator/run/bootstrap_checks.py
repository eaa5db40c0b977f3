"""Whether a bootstrapped bucket protects what is in it, found out by trying, as the accounts themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.errors import InfraError
from orchestrator.run.doctoring import Check
from orchestrator.state.bucket import BucketSettings, create, delete, look_at, may_read, overwrite
from orchestrator.state.gcs import Bucket

# What makes requests as an account: its e-mail address → what to add to the environment.
ActAs = Callable[[str], Mapping[str, str]]
PROBE = "infra-bootstrap-check"


def check_bucket(
    name: str, environ: Mapping[str, str], outputs: Mapping[str, Any], act_as: ActAs
) -> Iterator[Check]:
    """Every check, each as soon as it is made."""
    owner = Bucket(name, environ)
    found = look_at(owner)
    if not isinstance(found, BucketSettings):
        yield Check(
            "bucket", "error", f"gs://{name} cannot be looked at ({found})", "Are you an admin of it?"
        )
        return
    yield from protection(name, found)
    yield lock(owner)
    accounts = outputs.get("accounts")
    for environment, emails in accounts.items() if isinstance(accounts, Mapping) else ():
        acting = Bucket(name, {**environ, **act_as(str(emails["plan"]))})
        yield plan_account(owner, acting, environment, str(emails["plan"]))
    attests = str(outputs.get("attest_account") or "")
    if accounts and attests:
        yield attest_account(owner, Bucket(name, {**environ, **act_as(attests)}), tuple(accounts), attests)
    elif accounts:
        yield Check(
            "attest account",
            "error",
            "the bootstrap has no output `attest_account`, so nothing can be approved",
            "Update infra/bootstrap and its modules to those of this version of infra, and run it again.",
        )
    if not accounts:
        yield Check(
            "accounts",
            "warning",
            "not checked: the bootstrap has no output `accounts`",
            "Add it, as the reference.",
        )


def attest_account(owner: Bucket, acting: Bucket, environments: Sequence[str], email: str) -> Check:
    """The account that attests adds attestations, once each, and writes and reads nothing else."""
    name = "attest account"
    try:
        problems = [_attests(owner, acting, environment, email) for environment in environments]
    except InfraError as error:
        advice = f"To have it checked you need roles/iam.serviceAccountTokenCreator on {email}."
        return Check(name, "warning", f"not checked, since you may not act as it: {error.message}", advice)
    problem = next(filter(None, problems), "")
    if problem:
        return Check(name, "error", f"{email} {problem}", "Run `infra bootstrap` again.")
    return Check(name, "ok", f"{email} adds attestations, and can change none and write no plan")


def _attests(owner: Bucket, acting: Bucket, environment: str, email: str) -> str:
    """What is wrong with the account's rights in an environment, as a predicate; empty for nothing."""
    attestation, plan = f"{environment}/attestations/{PROBE}", f"{environment}/plans/{PROBE}"
    added, again = create(acting, attestation), overwrite(acting, attestation)
    wrote = create(acting, plan)
    delete(owner, attestation)
    delete(owner, plan)
    if added != "created":
        return f"cannot add attestations in {environment}"
    if again:
        return f"can change attestations in {environment}"
    if wrote == "created":
        return f"can write plans in {environment}"
    if may_read(acting, f"{environment}/state/{PROBE}"):
        return f"can read the states of {environment}"
    return "" if may_read(acting, plan) else f"cannot read the plans of {environment}"


def protection(name: str, settings: BucketSettings) -> Iterator[Check]:
    """Versions are kept, access is by IAM alone, nothing can be made public."""
    for what, good, fix in (
        ("old versions are kept", settings.versioning, "--versioning"),
        ("access is by IAM alone", settings.uniform_access, "--uniform-bucket-level-access"),
        ("nothing can be made public", settings.public_access_prevented, "--public-access-prevention"),
    ):
        if good:
            yield Check("bucket", "ok", f"gs://{name}: {what}")
        else:
            advice = f"gcloud storage buckets update gs://{name} {fix}"
            yield Check("bucket", "error", f"gs://{name}: not so that {what}", advice)


def lock(owner: Bucket) -> Check:
    """Of two who take a lock, one gets it: Terraform's lock is an object that is made only once."""
    probe = f"bootstrap/{PROBE}.tflock"
    delete(owner, probe)
    took = create(owner, probe), create(owner, probe)
    delete(owner, probe)
    if took == ("created", "exists"):
        return Check("lock", "ok", "a state's lock is held by one at a time")
    advice = "Are you one of `admins`? Nobody else may write there."
    return Check("lock", "error", f"a lock could be taken twice, or not at all ({', '.join(took)})", advice)


def plan_account(owner: Bucket, acting: Bucket, environment: str, email: str) -> Check:
    """The plan account reads its environment's states and writes none."""
    name = f"{environment} plan account"
    probe = f"{environment}/state/{PROBE}"
    try:
        wrote = create(acting, probe)
        reads = may_read(acting, probe)
        sees_bootstrap = may_read(acting, f"bootstrap/{PROBE}")
    except InfraError as error:
        advice = f"To have it checked you need roles/iam.serviceAccountTokenCreator on {email}."
        return Check(name, "warning", f"not checked, since you may not act as it: {error.message}", advice)
    if wrote != "refused":
        delete(owner, probe)
        return Check(
            name, "error", f"{email} can write states", "Take its roles on the bucket's project away."
        )
    if sees_bootstrap:
        return Check(name, "error", f"{email} can read the bootstrap's state", "Look at the bucket's policy.")
    if not reads:
        return Check(name, "error", f"{email} cannot read states", "Run `infra bootstrap` again.")
    return Check(name, "ok", f"{email} reads the states of {environment} and cannot write them")
