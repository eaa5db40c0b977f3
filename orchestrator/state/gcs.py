"""Storage in Google Cloud Storage; the only module that uses its library."""

from __future__ import annotations

import contextlib
import functools
import io
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.errors import BucketMissingError, ForbiddenError, StateError
from orchestrator.state.bucket_operations import (
    STEP,
    BucketOperation,
    Clock,
    OverdueError,
    WaitNotices,
    format_size,
    note_page,
    note_transfer,
)
from orchestrator.state.credentials import LOGIN, credentials
from orchestrator.state.storage import ABSENT, Blob, precondition_failed

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from requests import PreparedRequest, Response

T = TypeVar("T")

# Requests that may be under way at once; one connection each is kept open.
CONNECTIONS = 32
# Seconds for one request, and for all tries of it; 429 and 5xx are tried again with growing, random pauses.
TIMEOUT = 30.0
RETRY_SECONDS = 60.0
# Seconds for one operation, whatever it consists of: tries, slow answers. A part of an object that was sent
# or received and a page of a listing move the deadline.
DEADLINE = 120.0
# The system takes up to `BUFFERED` bytes of a request before they are on the way, and the answer comes after
# them, on the slowest link with this many bytes a second.
BUFFERED = 4 * 1024 * 1024
SLOWEST = 64 * 1024
# After an operation that was in vain, the next ones are tried and waited for so briefly for so long.
BRIEF = 3.0
BRIEF_DEADLINE = 10.0
DOWN_FOR = 60.0
# How an operation is named while it is waited for.
_DOING = {"read": "reading", "write": "writing", "create": "creating", "list": "listing"}
_DOING |= {"delete": "deleting", "look": "looking"}
# What a listing has to say of each object: a fifth of what it would say unasked.
FIELDS = "nextPageToken,items(name,generation,metageneration,size,timeCreated,updated,timeDeleted,metadata)"


class Bucket:
    """Objects in a Google Cloud Storage bucket."""

    def __init__(self, name: str, env: Mapping[str, str], clock: Clock | None = None) -> None:
        self.name = name
        self._env = env
        self._notices = WaitNotices(clock or Clock())
        self._lock = threading.Lock()
        self._made: Any = None
        self._down_until = 0.0
        # The service's time at a moment of this process's own steady clock.
        self._clock: tuple[datetime, float] | None = None

    def stat(self, name: str) -> Blob | None:
        """The object's properties by one request."""
        properties = self.ask(f"read {name}", lambda bucket, retry: _properties(bucket, name, retry))
        return _blob(properties) if properties is not None else None

    def read(self, name: str, generation: str | None = None) -> Blob | None:
        """The object and its content: properties first, then exactly that generation."""

        def fetch(bucket: Any, retry: Any) -> Blob | None:
            from google.api_core.exceptions import NotFound

            while (properties := _properties(bucket, name, retry, generation)) is not None:
                at = bucket.blob(name, generation=properties.generation)
                stream = _ReceivedBytes()
                try:
                    at.download_to_file(stream, timeout=TIMEOUT, retry=retry)
                except NotFound:
                    # Overwritten between the two requests, and the bucket keeps no versions: look again.
                    continue
                return _blob(properties, stream.getvalue())
            return None

        return self.ask(f"read {name}", fetch)

    def content(self, name: str, generation: str) -> bytes | None:
        """What a generation of the object holds, by one request: nobody needs to ask for its properties."""

        def fetch(bucket: Any, retry: Any) -> bytes | None:
            from google.api_core.exceptions import NotFound

            stream = _ReceivedBytes()
            try:
                bucket.blob(name, generation=int(generation)).download_to_file(
                    stream, timeout=TIMEOUT, retry=retry
                )
            except NotFound as error:
                if _is_bucket_missing(error):
                    raise
                return None
            return stream.getvalue()

        return self.ask(f"read {name}", fetch)

    def write(
        self,
        name: str,
        data: bytes,
        *,
        if_generation: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Blob:
        """Write an object by one request; a lost answer to a conditional write is found out by looking."""

        def put(bucket: Any, retry: Any) -> Blob:
            from google.api_core.exceptions import PreconditionFailed

            blob = bucket.blob(name)
            blob.metadata = dict(metadata or {})
            try:
                blob.upload_from_string(
                    data,
                    content_type="application/json",
                    if_generation_match=None if if_generation is None else int(if_generation),
                    timeout=(TIMEOUT, TIMEOUT + min(len(data), BUFFERED) / SLOWEST),
                    retry=retry,
                )
            except PreconditionFailed as error:
                existing = None
                if if_generation is not None:
                    # An account that may only create cannot look.
                    with contextlib.suppress(StateError):
                        existing = self.read(name)
                if existing and existing.data == data and existing.metadata == dict(metadata or {}):
                    # Our own first try: it was done, and its answer was lost on the way.
                    return existing
                raise precondition_failed(f"gs://{self.name}/{name}") from error
            return _blob(blob, data)

        return self.ask(f"write {name}", put)

    def delete(self, name: str, *, if_generation: str | None = None) -> None:
        """Delete the live object; with versioning the bucket keeps it as an old version."""

        def remove(bucket: Any, retry: Any) -> None:
            from google.api_core.exceptions import NotFound, PreconditionFailed

            generation = None if if_generation is None else int(if_generation)
            try:
                bucket.blob(name).delete(if_generation_match=generation, timeout=TIMEOUT, retry=retry)
            except PreconditionFailed as error:
                raise precondition_failed(f"gs://{self.name}/{name}") from error
            except NotFound as error:
                if _is_bucket_missing(error):
                    raise
                if if_generation not in (None, ABSENT):
                    raise precondition_failed(f"gs://{self.name}/{name}") from error

        self.ask(f"delete {name}", remove)

    def patch_metadata(self, name: str, metadata: Mapping[str, str], *, if_metageneration: str) -> Blob:
        """Set keys of the custom metadata by one request."""

        def patch(bucket: Any, retry: Any) -> Blob:
            from google.api_core.exceptions import NotFound, PreconditionFailed

            changed = bucket.blob(name)
            changed.metadata = dict(metadata)
            try:
                changed.patch(if_metageneration_match=int(if_metageneration), timeout=TIMEOUT, retry=retry)
            except (PreconditionFailed, NotFound) as error:
                if _is_bucket_missing(error):
                    raise
                raise precondition_failed(f"gs://{self.name}/{name}") from error
            return _blob(changed)

        return self.ask(f"write {name}", patch)

    def versions(self, name: str) -> list[Blob]:
        """Every generation of an object that the bucket keeps, oldest first."""
        blobs = self.ask(f"list {name}", lambda bucket, retry: _listed(bucket, name, retry, versions=True))
        return sorted((blob for blob in blobs if blob.name == name), key=lambda blob: int(blob.generation))

    def list(self, prefix: str) -> list[Blob]:
        """The live objects below a prefix: one request for each thousand."""
        return self.ask(f"list {prefix}", lambda bucket, retry: _listed(bucket, prefix, retry))

    def now(self) -> datetime:
        """The service's time, from the `Date` of its last answer and what has passed since."""
        if self._clock is None:
            # Any answer tells the time, a refusal included.
            with contextlib.suppress(StateError):
                self.stat("infra-clock")
        if self._clock is None:
            raise StateError(
                f"gs://{self.name} does not tell the time.", advice="Can it be reached? See `infra doctor`."
            )
        moment, then = self._clock
        return moment + timedelta(seconds=time.monotonic() - then)

    def keeps_versions(self) -> bool:
        """Whether old versions are kept; StateError when the bucket is missing or may not be looked at."""

        def look(bucket: Any, retry: Any) -> bool:
            bucket.reload(timeout=TIMEOUT, retry=retry)
            return bool(bucket.versioning_enabled)

        return self.ask("look at the bucket", look)

    def ask(self, what: str, request: Callable[[Any, Any], T]) -> T:
        """One operation of the service, its refusals and its silence as errors that say what to do."""
        now = self._notices.clock.now
        is_down = now() < self._down_until
        seconds = BRIEF_DEADLINE if is_down else DEADLINE
        verb, _, target = what.partition(" ")
        operation = BucketOperation(f"gs://{self.name}: {_DOING[verb]} {target}", seconds, self._notices)

        def work() -> T:
            bucket = self._bucket()
            return request(bucket, _retry(operation, BRIEF if is_down else RETRY_SECONDS))

        with self._lock:
            load_library()
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException

        action = f"{what} in gs://{self.name}"
        try:
            return operation.run(work)
        except exceptions.NotFound as error:
            raise BucketMissingError(
                f"The bucket gs://{self.name} does not exist.",
                advice="Create it, or mend `backend.gcs.bucket` in infra.yaml.",
            ) from error
        except exceptions.Forbidden as error:
            raise ForbiddenError(
                f"Google refused to {action}: {error.message}",
                advice="The account needs roles/storage.objectViewer for a plan, objectUser for an apply.",
            ) from error
        except (exceptions.Unauthorized, GoogleAuthError) as error:
            raise StateError(f"Google does not accept the credentials to {action}.", advice=LOGIN) from error
        except OverdueError as error:
            self._down_until = now() + DOWN_FOR
            failure = f"; the last try ended with {operation.failure}" if operation.failure else ""
            silence = "did not answer within"
            if operation.moved >= STEP:
                silence = f"sent and took nothing more after {format_size(operation.moved)} for"
            raise StateError(
                f"Google Cloud Storage {silence} {seconds:.0f} seconds when asked to {action}{failure}.",
                advice="Try again in a while. Whether a write was carried out, `infra status` tells.",
            ) from error
        except (exceptions.GoogleAPIError, RequestException) as error:
            # It was waited for once; what comes next, at the end of a run, need not wait as long again.
            self._down_until = now() + DOWN_FOR
            raise StateError(
                f"Google Cloud Storage did not answer when asked to {action}: {error}",
                advice="Try again in a while.",
            ) from error

    def _bucket(self) -> Any:
        """The library's bucket, made at the first use."""
        with self._lock:
            if self._made is None:
                client = _client(self._env)
                client._http.hooks["response"].append(self._note_time)
                self._made = client.bucket(self.name)
            return self._made

    def _note_time(self, response: Any, **_: Any) -> None:
        """Note the time of an answer."""
        date = response.headers.get("Date")
        if date:
            self._clock = parsedate_to_datetime(date).astimezone(UTC), time.monotonic()


def _blob(remote: Any, data: bytes = b"") -> Blob:
    """The library's object as ours."""
    return Blob(
        name=remote.name,
        generation=str(remote.generation),
        size=int(remote.size or 0),
        data=data,
        metageneration=str(remote.metageneration or ""),
        metadata=dict(remote.metadata or {}),
        created=_text(remote.time_created),
        updated=_text(remote.updated),
        deleted=_text(remote.time_deleted),
    )


def _text(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else ""


def _listed(bucket: Any, prefix: str, retry: Any, *, versions: bool = False) -> list[Blob]:
    iterator = bucket.client.list_blobs(
        bucket, prefix=prefix, versions=versions or None, fields=FIELDS, timeout=TIMEOUT, retry=retry
    )
    blobs: list[Blob] = []
    for page in iterator.pages:
        note_page()
        blobs += [_blob(remote) for remote in page]
    return blobs


def _properties(bucket: Any, name: str, retry: Any, generation: str | None = None) -> Any:
    """An object's properties, None when there is no such object. A bucket that is missing is an error."""
    from google.api_core.exceptions import NotFound

    blob = bucket.blob(name, generation=int(generation) if generation else None)
    try:
        blob.reload(timeout=TIMEOUT, retry=retry)
    except NotFound as error:
        if _is_bucket_missing(error):
            raise
        return None
    return blob


def _is_bucket_missing(error: Exception) -> bool:
    """Both are 404; the service's words tell them apart: "No such object: …", "The specified bucket …"."""
    return "bucket does not exist" in str(error).lower()


class _ReceivedBytes(io.BytesIO):
    """What a download writes to: the operation's deadline moves as bytes arrive."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Keep a part of the object, and note it."""
        size = super().write(data)
        note_transfer(size)
        return size


class _SentBytes(io.BytesIO):
    """A request's body, read block by block as the connection takes it: the operation's deadline moves on."""

    def read(self, size: int | None = -1, /) -> bytes:
        """The next block: those before it were taken."""
        block = super().read(size)
        note_transfer(len(block))
        return block


@functools.cache
def load_library() -> None:
    """Import Google's library, once, without its warnings, which are not for users."""
    with warnings.catch_warnings():
        # The library warns that it will drop this Python one day; that is for us to follow, not for users.
        warnings.filterwarnings("ignore", "You are using a Python version", FutureWarning)
        # Nor does it matter that gRPC, which storage does not use, could explain its errors better.
        warnings.filterwarnings("ignore", "Please install grpcio-status", ImportWarning)
        from google.cloud import storage  # noqa: F401


def _client(env: Mapping[str, str]) -> Any:
    """A client for the address that the environment names, which is Google's own or an emulator's."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage
    from requests.adapters import HTTPAdapter

    emulator = env.get("STORAGE_EMULATOR_HOST", "")
    options = {"api_endpoint": emulator if "://" in emulator else f"http://{emulator}"} if emulator else None
    who = AnonymousCredentials() if emulator else credentials(env)  # type: ignore[no-untyped-call]
    client = storage.Client(project="none", credentials=who, client_options=options)
    # Newer libraries ask for the bucket's location behind our back, to decorate traces that nobody collects:
    # a request more, for which most accounts have no right.
    client._bucket_metadata_cache = None

    class BlockwiseAdapter(HTTPAdapter):
        """Sends a body in blocks: a socket's timeout bounds all of what it is given at once."""

        def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
            if isinstance(request.body, bytes):
                request.body = _SentBytes(request.body)
            return super().send(request, *args, **options)

    adapter = BlockwiseAdapter(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)
    client._http.mount("https://", adapter)
    client._http.mount("http://", adapter)
    return client


def _retry(operation: BucketOperation, seconds: float) -> Any:
    """The library's rule for trying again, for so long, and no more once nobody waits for the operation."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    def is_passing(error: Exception) -> bool:
        if operation.is_over or not DEFAULT_RETRY._predicate(error):
            return False
        operation.failure = _failure(error)
        return True

    rule = DEFAULT_RETRY.with_predicate(is_passing)
    return rule.with_timeout(seconds).with_delay(initial=0.2, multiplier=2.0, maximum=10.0)


def _failure(error: Exception) -> str:
    """Why a request is made again, in a few words: a status, or what the connection did."""
    from requests.exceptions import Timeout

    status = getattr(error, "code", None)
    if status:
        return f"status {int(status)}"
    return "silence" if isinstance(error, Timeout) else "a connection that failed"
