"""Facts of code on disk, by the Git ids of the files: a later run parses only what is new.

The file is in the clone's Git folder, where no commit can put one: facts decide which stacks a change
affects. It belongs to one version of the code that parses, by a hash of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.repository.fact_codec import Json

FOLDER = "infra"
NAME = "code-facts"
FORMAT = b"infra code facts 1"
# The file is never larger; that is the code of some 10,000 root modules.
MAX_BYTES = 32 * 1024 * 1024
# Fewer new entries are parsed faster than the file is written.
WORTH_SAVING = 64
# What decides which facts a file gives: packages, and modules beside this one.
_PARSERS = ("tree_sitter", "tree_sitter_hcl")
_SOURCES = ("hcl", "facts.py", "fact_codec.py", "modules.py", "source.py")


class CodeCache:
    """The entries of one clone: JSON values by key. What cannot be read or written counts as empty."""

    def __init__(
        self, git_folder: Path, *, max_bytes: int = MAX_BYTES, worth_saving: int = WORTH_SAVING
    ) -> None:
        self._path = git_folder / FOLDER / NAME
        self._max_bytes = max_bytes
        self._worth_saving = worth_saving
        self._identity = _identity()
        self._lines = self._read()
        self._used: dict[bytes, bytes] = {}
        self._new = 0

    def find(self, key: str) -> Json:
        """The value of a key; None where there is none."""
        name = key.encode()
        line = self._lines.get(name)
        if line is None:
            return None
        self._used[name] = line
        return json.loads(line)

    def add(self, key: str, value: Json) -> None:
        """Keep a value until `save`."""
        self._used[key.encode()] = json.dumps(value, separators=(",", ":")).encode()
        self._new += 1

    def save(self) -> None:
        """Write what was used and, as far as there is room, what was there before; best effort."""
        if self._new < self._worth_saving:
            return
        self._new = 0
        lines = list(self._used.items())
        lines += [(key, line) for key, line in self._lines.items() if key not in self._used]
        entries, size = [], 0
        for key, line in lines:
            size += len(key) + len(line) + 2
            if size > self._max_bytes:
                break
            entries.append(b"%b %b\n" % (key, line))
        body = b"".join(entries)
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(self._path, self._head(body) + body)

    def _head(self, body: bytes) -> bytes:
        return b"%b %b %b\n" % (FORMAT, self._identity, sha256(body).hexdigest().encode())

    def _read(self) -> dict[bytes, bytes]:
        """The lines by key; nothing where the file is not whole, not of this version or not ours alone."""
        try:
            with open(self._path, "rb", opener=_open_no_link) as file:
                status = os.fstat(file.fileno())
                if not _is_private(status) or status.st_size > self._max_bytes + 1024:
                    return {}
                head, _, body = file.read().partition(b"\n")
        except OSError:
            # Not there, a folder, or a disk that fails.
            return {}
        if head + b"\n" != self._head(body):
            return {}
        return dict(line.split(b" ", 1) for line in body.splitlines())


def entry_key(kind: str, *parts: str) -> str:
    """The key of what `parts` decide, as 64 hexadecimal digits."""
    text = "\n".join((kind, *parts))
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _is_private(status: os.stat_result) -> bool:
    """A file of this user's own that nobody else can write."""
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def _identity() -> bytes:
    """A hash of the code that makes facts, of the parser, and of Python, whose Unicode tables are used."""
    digest = sha256(sys.version.encode())
    folder = Path(__file__).parent
    for name in (*_SOURCES, Path(__file__).name):
        path = folder / name
        for source in sorted(path.glob("*.py")) if path.is_dir() else (path,):
            data = source.read_bytes()
            digest.update(f"{source.name} {len(data)}\n".encode() + data)
    for package in _PARSERS:
        spec = find_spec(package)
        for library in sorted(Path(str(spec and spec.origin)).parent.glob("*.so")):
            status = library.stat()
            digest.update(f"{library.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest().encode()
