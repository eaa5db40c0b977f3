"""The one module that speaks to Google Cloud Storage; files on disk answer to the same questions."""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from orchestrator.errors import StateError
from orchestrator.state.credentials import LOGIN, credentials

T = TypeVar("T")

# Requests that may be under way at once; one connection each is kept open.
CONNECTIONS = 32
# Seconds for one request, and for all tries of it; 429 and 5xx are tried again with growing, random pauses.
TIMEOUT = 30.0
PATIENCE = 60.0


@dataclass(frozen=True)
class Blob:
    """An object or file at one moment. `generation` changes with every write; compare it, nothing else."""

    name: str
    generation: str
    size: int
    data: bytes = b""


class Storage(Protocol):
    """Where states lie. Names are object names in a bucket, or paths. Safe from many threads."""

    def stat(self, name: str) -> Blob | None:
        """What is there, without its content; None when nothing is. One request."""

    def read(self, name: str) -> Blob | None:
        """What is there with its content, both of one generation; None when nothing is."""


class Files:
    """States on this machine's disk."""

    def stat(self, name: str) -> Blob | None:
        """The file; its generation is a digest of what it holds, since a file has no other."""
        found = self.read(name)
        return Blob(found.name, found.generation, found.size) if found else None

    def read(self, name: str) -> Blob | None:
        """The file and its content."""
        try:
            data = Path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(
                f"{name} cannot be read: {error.strerror}.", advice="Check who owns the file."
            ) from error
        if not data:
            # Terraform makes the file to lock it, long before the first state is written there.
            return None
        return Blob(name, hashlib.sha256(data).hexdigest()[:16], len(data), data)


class Bucket:
    """States in a Google Cloud Storage bucket."""

    def __init__(self, name: str, env: Mapping[str, str]) -> None:
        self.name = name
        self._env = env
        self._lock = threading.Lock()
        self._made: Any = None

    def stat(self, name: str) -> Blob | None:
        """The object's properties by one request."""
        found = self.ask(f"read {name}", lambda bucket, retry: _properties(bucket, name, retry))
        return Blob(name, str(found.generation), int(found.size or 0)) if found is not None else None

    def read(self, name: str) -> Blob | None:
        """The object and its content: properties first, then exactly that generation."""

        def fetch(bucket: Any, retry: Any) -> Blob | None:
            from google.api_core.exceptions import NotFound

            while (found := _properties(bucket, name, retry)) is not None:
                at = bucket.blob(name, generation=found.generation)
                try:
                    data: bytes = at.download_as_bytes(timeout=TIMEOUT, retry=retry)
                except NotFound:
                    # Overwritten between the two requests, and the bucket keeps no versions: look again.
                    continue
                return Blob(name, str(found.generation), len(data), data)
            return None

        return self.ask(f"read {name}", fetch)

    def keeps_versions(self) -> bool:
        """Whether old versions are kept; StateError when the bucket is missing or may not be looked at."""

        def look(bucket: Any, retry: Any) -> bool:
            bucket.reload(timeout=TIMEOUT, retry=retry)
            return bool(bucket.versioning_enabled)

        return self.ask("look at the bucket", look)

    def ask(self, what: str, request: Callable[[Any, Any], T]) -> T:
        """One question to the service, its refusals as errors that say what to do."""
        bucket, retry = self._bucket()
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException

        place = f"{what} in gs://{self.name}"
        try:
            return request(bucket, retry)
        except exceptions.NotFound as error:
            raise StateError(
                f"The bucket gs://{self.name} does not exist.",
                advice="Create it, or mend `backend.gcs.bucket` in infra.yaml.",
            ) from error
        except exceptions.Forbidden as error:
            raise StateError(
                f"Google refused to {place}: {error.message}",
                advice="The account needs roles/storage.objectViewer for a plan, objectUser for an apply.",
            ) from error
        except (exceptions.Unauthorized, GoogleAuthError) as error:
            raise StateError(f"Google does not accept the credentials to {place}.", advice=LOGIN) from error
        except (exceptions.GoogleAPIError, RequestException) as error:
            raise StateError(
                f"Google Cloud Storage did not answer when asked to {place}: {error}",
                advice="Try again; nothing was changed by this.",
            ) from error

    def _bucket(self) -> tuple[Any, Any]:
        """The library's bucket and its rule for trying again, made at the first use."""
        with self._lock:
            if self._made is None:
                self._made = _client(self._env).bucket(self.name), _retry()
            return self._made  # type: ignore[no-any-return]


def _properties(bucket: Any, name: str, retry: Any) -> Any:
    """An object's properties, None when there is no such object. A bucket that is missing is an error."""
    from google.api_core.exceptions import NotFound

    blob = bucket.blob(name)
    try:
        blob.reload(timeout=TIMEOUT, retry=retry)
    except NotFound as error:
        # Both are 404; the service's words tell them apart: "No such object: …" and "The specified bucket …".
        if "bucket does not exist" in str(error).lower():
            raise
        return None
    return blob


def _client(env: Mapping[str, str]) -> Any:
    """A client for the address that the environment names, which is Google's own or an emulator's."""
    with warnings.catch_warnings():
        # The library warns that it will drop this Python one day; that is for us to follow, not for users.
        warnings.filterwarnings("ignore", "You are using a Python version", FutureWarning)
        # Nor does it matter that gRPC, which storage does not use, could explain its errors better.
        warnings.filterwarnings("ignore", "Please install grpcio-status", ImportWarning)
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage
    from requests.adapters import HTTPAdapter

    emulator = env.get("STORAGE_EMULATOR_HOST", "")
    options = {"api_endpoint": emulator if "://" in emulator else f"http://{emulator}"} if emulator else None
    who = AnonymousCredentials() if emulator else credentials(env)  # type: ignore[no-untyped-call]
    client = storage.Client(project="none", credentials=who, client_options=options)
    adapter = HTTPAdapter(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)
    client._http.mount("https://", adapter)
    client._http.mount("http://", adapter)
    return client


def _retry() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(PATIENCE).with_delay(initial=0.2, multiplier=2.0, maximum=10.0)
