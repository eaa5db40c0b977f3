"""Where a state lies: an object in a bucket, or a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SCHEME = "gs://"


@dataclass(frozen=True)
class Location:
    """`gs://BUCKET/NAME`, or with an empty bucket a file's path."""

    bucket: str
    name: str

    @classmethod
    def parse(cls, url: str) -> Location:
        """The location that a URL names; what does not begin with gs:// is a path."""
        if not url.startswith(SCHEME):
            return cls("", url)
        bucket, _, name = url.removeprefix(SCHEME).partition("/")
        return cls(bucket, name)

    @property
    def scheme(self) -> str:
        """The scheme of its URL; empty for a file."""
        return SCHEME.removesuffix("://") if self.bucket else ""

    @property
    def is_remote(self) -> bool:
        """True for an object in a bucket."""
        return bool(self.bucket)

    @property
    def url(self) -> str:
        """The location as people and manifests write it."""
        return f"{SCHEME}{self.bucket}/{self.name}" if self.bucket else self.name

    @property
    def lock_name(self) -> str:
        """The name of the lock beside the state: Terraform's `.tflock` object or `.NAME.lock.info` file."""
        if self.is_remote:
            return self.name.removesuffix(".tfstate") + ".tflock"
        path = Path(self.name)
        return str(path.with_name(f".{path.name}.lock.info"))
