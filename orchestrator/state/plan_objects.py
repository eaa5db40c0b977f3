"""Plan objects in the bucket, the key that their values are hashed with, and a hash over all of a run.

Whoever plans may create an object and can change none; it counts because an attestation names it, or the
ticket that came through a gate.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote, unquote

from orchestrator.errors import StateError
from orchestrator.state.storage import ABSENT, PreconditionFailed, Storage

# In place of a pull request's number: what trunk itself owes, for a gate to approve.
TRUNK = "trunk"
# The name of a stack that is an environment itself: that of the environment may be another stack's.
ITSELF = "~"

# Objects that are read at once.
READERS = 8

_KEY = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def hash_of_objects(entries: Mapping[str, str]) -> str:
    """One hash over all objects of a run, whatever their order."""
    lines = "".join(f"{stack} {sha256}\n" for stack, sha256 in sorted(entries.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True)
class PlanObjects:
    """The plan objects of one environment in one place; `base` is the environment's folder there.

    `pull_request` is a number or TRUNK, `head` the commit that was looked at, `run` the id of the job.
    """

    storage: Storage
    environment: str
    base: str

    def create(self, pull_request: int | str, head: str, stack: str, run: str, data: bytes) -> str:
        """Write one, which must not be there yet; returns its name. It is never written again."""
        name = self._name(pull_request, head, stack, run)
        try:
            self.storage.write(name, data, if_generation=ABSENT)
        except PreconditionFailed:
            raise StateError(
                f"There is a plan object {name} already, and none is ever written twice.",
                advice="Start the job again: each try has an id of its own.",
                stack=stack,
            ) from None
        return name

    def of_run(self, pull_request: int | str, head: str, run: str) -> dict[str, bytes]:
        """All objects of one run, by stack id."""
        folder, end = self._folder(pull_request, head), f"/{name_part(run)}.json"
        names = {
            name: blob.name
            for blob in self.storage.list(folder)
            if blob.name.endswith(end)
            and "/" not in (name := blob.name.removeprefix(folder).removesuffix(end))
        }
        with ThreadPoolExecutor(READERS, thread_name_prefix="plans") as pool:
            blobs = dict(zip(names, pool.map(self.storage.read, names.values()), strict=True))
        return {_decoded(name, self.environment): blob.data for name, blob in blobs.items() if blob}

    def of_stack(self, pull_request: int | str, head: str, stack: str, run: str) -> bytes | None:
        """The object of one stack; None where there is none."""
        blob = self.storage.read(self._name(pull_request, head, stack, run))
        return blob.data if blob else None

    def _name(self, pull_request: int | str, head: str, stack: str, run: str) -> str:
        return f"{self._folder(pull_request, head)}{_encoded(stack, self.environment)}/{name_part(run)}.json"

    def _folder(self, pull_request: int | str, head: str) -> str:
        return f"{self.base}/plans/{name_part(str(pull_request))}/{name_part(head)}/"


def digest_key(storage: Storage, base: str) -> bytes:
    """The key that an environment's values are hashed with, 32 bytes; made where there is none yet.

    `base` is the environment's folder. Raises StateError for an account that may only read, while there is
    none.
    """
    name = f"{base}/ledger/digest.key"
    blob = storage.read(name)
    if blob is None:
        try:
            blob = storage.write(name, f"{secrets.token_hex(32)}\n".encode(), if_generation=ABSENT)
        except PreconditionFailed:
            blob = storage.read(name)
        except StateError as error:
            raise StateError(
                f"There is no {name} yet, the key that plans are hashed with, and it cannot be made: "
                f"{error.message}",
                advice=f"`infra bootstrap` makes it, and so does the first apply to {base}; then plan again.",
            ) from error
    text = blob.data.decode("ascii", "replace").strip() if blob else ""
    if not _KEY.fullmatch(text):
        raise StateError(
            f"{name} is not a key: 64 hexadecimal digits.",
            advice="Restore an older version of the object. A new key makes every open approval void.",
        )
    return bytes.fromhex(text)


def name_part(text: str) -> str:
    """Text as a part of a name that cannot lead elsewhere."""
    if not _WORD.fullmatch(text):
        raise StateError(f"{text!r} cannot be part of a plan object's name.")
    return text


def _encoded(stack: str, environment: str) -> str:
    return ITSELF if stack == environment else quote(stack.removeprefix(f"{environment}/"), safe="")


def _decoded(name: str, environment: str) -> str:
    return environment if name == ITSELF else f"{environment}/{unquote(name)}"
