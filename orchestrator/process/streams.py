"""What a child writes: drained from pipes, or followed in files that outlive us."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from pathlib import Path
from typing import Protocol

from orchestrator.process.command import Command, OnLine, Stream

_CHUNK = 1 << 16
# More than an unread pipe holds, in bytes, also where reads are short.
_MOST_IN_A_PIPE = 1 << 24
# How often files are looked at, and how soon a change of plan (an interrupt) is noticed.
_FOLLOW = 0.1
_NOTICE = 0.5
_STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


class LineReader:
    """Collects one stream's bytes, at most `limit` of them, and tells its lines as they become whole."""

    def __init__(self, stream: Stream, on_line: OnLine | None, limit: int | None = None) -> None:
        self._stream = stream
        self._on_line = on_line
        self._room = limit
        self._chunks: list[bytes] = []
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """More bytes."""
        if self._room is None:
            self._chunks.append(data)
        elif self._room:
            self._chunks.append(data[: self._room])
            self._room -= len(self._chunks[-1])
        if self._on_line is None:
            return
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._on_line(self._stream, line)

    def end(self) -> bytes:
        """There will be no more: the last line may lack an end. Returns everything."""
        if self._rest and self._on_line is not None:
            self._on_line(self._stream, self._rest)
            self._rest = b""
        return b"".join(self._chunks)


class Streams(Protocol):
    """How a child's output reaches us."""

    def popen_arguments(self) -> dict[str, int]:
        """What `subprocess.Popen` is given for `stdin`, `stdout`, `stderr`."""

    def attach(self, process: subprocess.Popen[bytes]) -> None:
        """The child has started."""

    def pump(self, timeout: float) -> bool:
        """Take what there is, waiting at most `timeout` seconds; True when the child may have ended."""

    def finish(self) -> tuple[bytes, bytes]:
        """The child ended: take the rest, close everything, return both streams whole."""

    def close(self) -> None:
        """Close everything."""


def open_streams(command: Command, on_line: OnLine | None) -> Streams:
    """The kind of streams that a command asks for."""
    if command.stdin == "inherit":
        return TerminalStreams()
    limit = command.most_output if command.files is None else None
    lines = {stream: LineReader(stream, on_line, limit) for stream in _STREAMS}
    if command.files is None:
        return PipeStreams(lines)
    return FileStreams(command.files, command.stdout_name, lines, following=on_line is not None)


class _ExitWatch:
    """Waits for a child's end without a thread: by a pidfd where there is one, else by looking."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self._pidfd: int | None = None

    def attach(self, pid: int) -> None:
        try:
            self._pidfd = os.pidfd_open(pid)
        except (AttributeError, OSError):
            return
        self.selector.register(self._pidfd, selectors.EVENT_READ)

    def wait(self, timeout: float) -> tuple[list[int], bool]:
        """The descriptors that have something to read, and whether the child may have ended."""
        timeout = max(0.0, min(timeout, _NOTICE))
        if self._pidfd is None:
            timeout = min(timeout, _FOLLOW)
        if not self.selector.get_map():
            time.sleep(min(timeout, 0.02))
            return [], True
        ready = [int(key.fd) for key, _ in self.selector.select(timeout)]
        if self._pidfd is None:
            return ready, not ready
        return [fd for fd in ready if fd != self._pidfd], self._pidfd in ready

    def close(self) -> None:
        self.selector.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


class TerminalStreams:
    """The child has our terminal; nothing is captured."""

    def __init__(self) -> None:
        self._watch = _ExitWatch()

    def popen_arguments(self) -> dict[str, int]:
        return {}

    def attach(self, process: subprocess.Popen[bytes]) -> None:
        self._watch.attach(process.pid)

    def pump(self, timeout: float) -> bool:
        return self._watch.wait(timeout)[1]

    def finish(self) -> tuple[bytes, bytes]:
        self.close()
        return b"", b""

    def close(self) -> None:
        self._watch.close()


class PipeStreams:
    """Two pipes, drained together so that neither can fill up while the other is read."""

    def __init__(self, lines: dict[Stream, LineReader]) -> None:
        self._lines = lines
        self._watch = _ExitWatch()
        self._open: dict[int, LineReader] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def popen_arguments(self) -> dict[str, int]:
        return {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

    def attach(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._watch.attach(process.pid)
        for stream, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._open[pipe.fileno()] = self._lines[stream]  # type: ignore[index]
                self._watch.selector.register(pipe.fileno(), selectors.EVENT_READ)

    def pump(self, timeout: float) -> bool:
        ready, ended = self._watch.wait(timeout)
        for fd in ready:
            self._take(fd)
        return ended

    def _take(self, fd: int) -> bool:
        """Read once; False when there is nothing now, or never again."""
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._watch.selector.unregister(fd)
            del self._open[fd]
            return False
        self._open[fd].feed(data)
        return True

    def finish(self) -> tuple[bytes, bytes]:
        # A grandchild may hold the pipes open, and go on writing: take what they can hold, and not their end.
        for fd in list(self._open):
            for _ in range(_MOST_IN_A_PIPE // _CHUNK):
                if not self._take(fd):
                    break
        self.close()
        return self._lines["stdout"].end(), self._lines["stderr"].end()

    def close(self) -> None:
        self._watch.close()
        for pipe in (self._process.stdout, self._process.stderr) if self._process else ():
            if pipe is not None:
                pipe.close()


class FileStreams:
    """Two files in a folder, appended to by the child and read by us from where they ended before."""

    def __init__(
        self, folder: Path, stdout: str, lines: dict[Stream, LineReader], *, following: bool
    ) -> None:
        self._lines = lines
        self._following = following
        self._watch = _ExitWatch()
        self._writers: list[int] = []
        self._readers: dict[Stream, int] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for stream, name in (("stdout", stdout), ("stderr", "stderr")):
            path = folder / name
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
            self._writers.append(os.open(path, flags, 0o600))
            reader = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            os.lseek(reader, 0, os.SEEK_END)
            self._readers[stream] = reader  # type: ignore[index]

    def popen_arguments(self) -> dict[str, int]:
        return {"stdin": subprocess.DEVNULL, "stdout": self._writers[0], "stderr": self._writers[1]}

    def attach(self, process: subprocess.Popen[bytes]) -> None:
        self._watch.attach(process.pid)
        self._close_writers()

    def pump(self, timeout: float) -> bool:
        ended = self._watch.wait(min(timeout, _FOLLOW) if self._following else timeout)[1]
        if self._following:
            self._read()
        return ended

    def _read(self) -> None:
        for stream, reader in self._readers.items():
            while data := os.read(reader, _CHUNK):
                self._lines[stream].feed(data)

    def finish(self) -> tuple[bytes, bytes]:
        self._read()
        self.close()
        return self._lines["stdout"].end(), self._lines["stderr"].end()

    def _close_writers(self) -> None:
        for fd in self._writers:
            os.close(fd)
        self._writers = []

    def close(self) -> None:
        self._close_writers()
        self._watch.close()
        for reader in self._readers.values():
            os.close(reader)
        self._readers = {}
