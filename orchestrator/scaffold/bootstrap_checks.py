"""Checks the permissions of a bootstrapped bucket by requests as each account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.errors import InfraError
from orchestrator.report.doctor_check import DoctorCheck
from orchestrator.repository.layout import BOOTSTRAP
from orchestrator.scaffold.bootstrap_locations import BucketFolder, Locations, shared_folders
from orchestrator.state.bucket_access import (
    BucketSettings,
    can_read_object,
    create_object,
    delete_object,
    overwrite_object,
    read_settings,
)
from orchestrator.state.factory import open_bucket
from orchestrator.state.location import Location

if TYPE_CHECKING:
    from orchestrator.state.gcs import Bucket

# What makes requests as an account: its e-mail address → what to add to the environment.
ActAs = Callable[[str], Mapping[str, str]]
PROBE = "infra-bootstrap-check"


def check_access(
    name: str,
    environ: Mapping[str, str],
    outputs: Mapping[str, Any],
    act_as: ActAs,
    locations: Locations,
) -> Iterator[DoctorCheck]:
    """Every check, each as soon as it is made.

    `name` is the bootstrap's bucket; environments that are not in `locations` are in `ENV/` of it.
    """
    buckets = {each: open_bucket(Location(each, ""), environ) for each in (name, *locations.buckets)}
    for each, owner in buckets.items():
        settings = read_settings(owner)
        if not isinstance(settings, BucketSettings):
            yield DoctorCheck(
                "bucket", "error", f"gs://{each} cannot be looked at ({settings})", "Are you an admin of it?"
            )
            return
        yield from _check_protection(each, settings, is_ours=each not in locations.existing_buckets)
    yield _check_lock(buckets[name])
    accounts = outputs.get("accounts")
    for environment, emails in accounts.items() if isinstance(accounts, Mapping) else ():
        access = AccountAccess(environ, act_as, buckets, str(emails["plan"]))
        yield _check_plan_account(access, environment, locations.of(environment, name).states, name)
    attests = str(outputs.get("attest_account") or "")
    if accounts and attests:
        memory = tuple(folder for each in accounts for folder in locations.of(each, name).memory)
        states = tuple(folder for each in accounts for folder in locations.of(each, name).states)
        yield _check_attest_account(AccountAccess(environ, act_as, buckets, attests), memory, states)
    elif accounts:
        yield DoctorCheck(
            "attest account",
            "error",
            "the bootstrap has no output `attest_account`, so nothing can be approved",
            "Update infra/bootstrap and its modules to those of this version of infra, and run it again.",
        )
    if not accounts:
        yield DoctorCheck(
            "accounts",
            "warning",
            "not checked: the bootstrap has no output `accounts`",
            "Add it, as the reference.",
        )
    for environment, other, folder in shared_folders(
        {each: locations.of(each, name) for each in accounts or ()}
    ):
        yield DoctorCheck(
            "environments",
            "warning",
            f"the accounts of {environment} reach {folder.url} of {other}",
            "Give each environment a folder or a bucket of its own to separate them.",
        )


@dataclass(frozen=True)
class AccountAccess:
    """The buckets as their administrator sees them (`owners`), and as an account with an address does."""

    environ: Mapping[str, str]
    act_as: ActAs
    owners: Mapping[str, Bucket]
    email: str

    @cached_property
    def _acting(self) -> Mapping[str, str]:
        return {**self.environ, **self.act_as(self.email)}

    def bucket(self, name: str) -> Bucket:
        """A bucket as the account sees it."""
        return open_bucket(Location(name, ""), self._acting)

    def can_read(self, folder: BucketFolder) -> bool:
        """Whether the account may read objects of a folder."""
        return can_read_object(self.bucket(folder.bucket), folder.object_name(PROBE))

    def unchecked(self, name: str, error: InfraError) -> DoctorCheck:
        """The check that could not be made, since nobody may act as the account."""
        advice = f"To have it checked you need roles/iam.serviceAccountTokenCreator on {self.email}."
        return DoctorCheck(
            name, "warning", f"not checked, since you may not act as it: {error.message}", advice
        )


def _check_attest_account(
    access: AccountAccess, memory: Sequence[BucketFolder], states: Sequence[BucketFolder]
) -> DoctorCheck:
    """The account that attests adds attestations, once each, and writes and reads nothing else."""
    name, email = "attest account", access.email
    try:
        problems = [_attests(access, folder) for folder in memory]
        problems += [f"can read the states in {folder.url}" for folder in states if access.can_read(folder)]
    except InfraError as error:
        return access.unchecked(name, error)
    problem = next(filter(None, problems), "")
    if problem:
        return DoctorCheck(name, "error", f"{email} {problem}", "Run `infra bootstrap` again.")
    return DoctorCheck(name, "ok", f"{email} adds attestations, and can change none and write no plan")


def _attests(access: AccountAccess, memory: BucketFolder) -> str:
    """What is wrong with the account's rights in a memory folder, as a predicate; empty for nothing."""
    owner, acting = access.owners[memory.bucket], access.bucket(memory.bucket)
    attestation = memory.object_name(f"attestations/{PROBE}")
    plan = memory.object_name(f"plans/{PROBE}")
    added, again = create_object(acting, attestation), overwrite_object(acting, attestation)
    wrote = create_object(acting, plan)
    delete_object(owner, attestation)
    delete_object(owner, plan)
    if added != "created":
        return f"cannot add attestations in {memory.url}"
    if again:
        return f"can change attestations in {memory.url}"
    if wrote == "created":
        return f"can write plans in {memory.url}"
    return "" if can_read_object(acting, plan) else f"cannot read the plans in {memory.url}"


def _check_protection(name: str, settings: BucketSettings, *, is_ours: bool = True) -> Iterator[DoctorCheck]:
    """Versions are kept, access is by IAM alone, nothing can be made public.

    In a bucket that the bootstrap leaves as it is (`is_ours` False), what is missing is a warning.
    """
    for what, good, fix in (
        ("old versions are kept", settings.versioning, "--versioning"),
        ("access is by IAM alone", settings.uniform_access, "--uniform-bucket-level-access"),
        ("nothing can be made public", settings.public_access_prevented, "--public-access-prevention"),
    ):
        if good:
            yield DoctorCheck("bucket", "ok", f"gs://{name}: {what}")
        else:
            advice = f"gcloud storage buckets update gs://{name} {fix}"
            status: Literal["warning", "error"] = "error" if is_ours else "warning"
            yield DoctorCheck("bucket", status, f"gs://{name}: not so that {what}", advice)


def _check_lock(owner: Bucket) -> DoctorCheck:
    """Of two who take a lock, one gets it: Terraform's lock is an object that is made only once."""
    probe = f"{BOOTSTRAP}/{PROBE}.tflock"
    delete_object(owner, probe)
    took = create_object(owner, probe), create_object(owner, probe)
    delete_object(owner, probe)
    if took == ("created", "exists"):
        return DoctorCheck("lock", "ok", "a state's lock is held by one at a time")
    advice = "Are you one of `admins`? Nobody else may write there."
    return DoctorCheck(
        "lock", "error", f"a lock could be taken twice, or not at all ({', '.join(took)})", advice
    )


def _check_plan_account(
    access: AccountAccess, environment: str, states: Sequence[BucketFolder], own: str
) -> DoctorCheck:
    """The plan account reads its environment's states and writes none. `own` is the bootstrap's bucket."""
    name, email = f"{environment} plan account", access.email
    try:
        written = [folder for folder in states if _can_write(access, folder)]
        unread = [folder for folder in states if not access.can_read(folder)]
        sees_bootstrap = access.can_read(BucketFolder(own, BOOTSTRAP))
    except InfraError as error:
        return access.unchecked(name, error)
    if written:
        return DoctorCheck(
            name,
            "error",
            f"{email} can write states in {written[0].url}",
            f"Take its roles on the project of gs://{written[0].bucket} away.",
        )
    if sees_bootstrap:
        return DoctorCheck(
            name, "error", f"{email} can read the bootstrap's state", "Look at the bucket's policy."
        )
    if unread:
        return DoctorCheck(
            name, "error", f"{email} cannot read states in {unread[0].url}", "Run `infra bootstrap` again."
        )
    return DoctorCheck(name, "ok", f"{email} reads the states of {environment} and cannot write them")


def _can_write(access: AccountAccess, folder: BucketFolder) -> bool:
    """Whether the account may add an object to a folder; the object is deleted again."""
    probe = folder.object_name(PROBE)
    is_written = create_object(access.bucket(folder.bucket), probe) != "refused"
    if is_written:
        delete_object(access.owners[folder.bucket], probe)
    return is_written
