"""The process primitive, with real children."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import BinaryError, InterruptedRunError, ProcessError
from orchestrator.process import Command, Supervisor, is_alive, read_pid_file, started_at

ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
PYTHON = (sys.executable, "-I", "-S", "-c")


def python(code: str, cwd: Path, *, env: Mapping[str, str] = ENV, **options: Any) -> Command:
    return Command(argv=(*PYTHON, code), cwd=cwd, env=env, **options)


def shell(script: str, cwd: Path, **options: Any) -> Command:
    return Command(argv=("/bin/sh", "-c", script), cwd=cwd, env=ENV, **options)


def wait_for(path: Path, seconds: float = 10) -> str:
    """The text of a file that a child writes, once it is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.01)
    raise AssertionError(f"{path} never appeared")


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/dev/fd").iterdir()}


def wait_gone(pid: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if started_at(pid) is None:
            return True
        time.sleep(0.01)
    return False


# What a child is given, and what it gives back


def test_a_child_gets_argv_folder_environment_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os, sys, json; print(json.dumps([os.getcwd(), dict(os.environ), sys.stdin.read(), "
        "os.getsid(0) == os.getpid()]))"
    )
    done = Supervisor().run(python(code, tmp_path, env={"LC_ALL": "C.UTF-8", "ONE": "a b;$c"}))
    cwd, environ, stdin, leads_session = json.loads(done.stdout)
    assert (cwd, environ, stdin) == (str(tmp_path), {"LC_ALL": "C.UTF-8", "ONE": "a b;$c"}, "")
    assert leads_session
    assert done.ok
    assert done.ended == "exited"


@pytest.mark.parametrize(("script", "code"), [("exit 2", 2), ("exit 137", 137), ("kill -9 $$", -9)])
def test_exit_codes_come_back_as_they_are(tmp_path: Path, script: str, code: int) -> None:
    done = Supervisor().run(shell(script, tmp_path))
    assert done.returncode == code
    assert not done.ok


def test_large_output_on_both_streams_does_not_block(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('e' * 3_000_000); sys.stdout.write('o' * 3_000_000)"
    done = Supervisor().run(python(code, tmp_path, deadline=30))
    assert (len(done.stdout), len(done.stderr)) == (3_000_000, 3_000_000)


def test_bytes_that_are_not_utf8_survive(tmp_path: Path) -> None:
    done = Supervisor().run(shell(r"printf 'a\377\376z'", tmp_path))
    assert done.stdout == b"a\xff\xfez"
    assert done.text == "a��z"
    assert done.exact_text.encode("utf-8", "surrogateescape") == done.stdout


@pytest.mark.parametrize("to_files", [False, True])
def test_lines_are_reported_as_they_come(tmp_path: Path, to_files: bool) -> None:
    """The child goes on only once its first line was heard."""
    heard: list[tuple[str, bytes]] = []
    script = "echo one; echo err >&2; until [ -e go ]; do sleep 0.01; done; printf 'tw'; printf 'o\\nlast'"

    def listen(stream: str, line: bytes) -> None:
        heard.append((stream, line))
        (tmp_path / "go").touch()

    done = Supervisor().run(
        shell(script, tmp_path, files=tmp_path / "out" if to_files else None, deadline=60), listen
    )
    assert done.ended != "deadline"
    assert [line for stream, line in heard if stream == "stdout"] == [b"one", b"two", b"last"]
    assert [line for stream, line in heard if stream == "stderr"] == [b"err"]


def test_an_error_in_the_listener_does_not_end_the_child(tmp_path: Path) -> None:
    def listener(stream: str, line: bytes) -> None:
        raise RuntimeError(f"listener {line!r}")

    with pytest.raises(RuntimeError, match="listener b'one'"):
        Supervisor().run(shell("echo one; sleep 0.2; echo two; touch done", tmp_path), listener)
    assert (tmp_path / "done").exists()


def test_a_grandchild_that_holds_the_pipe_is_not_waited_for(tmp_path: Path) -> None:
    done = Supervisor().run(shell("sleep 60 & echo $!", tmp_path, deadline=30))
    try:
        assert done.seconds < 10
    finally:
        os.kill(int(done.stdout), signal.SIGKILL)


# Files that outlive us


def test_files_are_private_and_appended_to(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = shell("echo out; echo err >&2", tmp_path, files=folder, stdout_name="journal.jsonl")
    first, second = Supervisor().run(command), Supervisor().run(command)
    assert first.stdout == second.stdout == b"out\n"
    assert second.stderr == b"err\n"
    assert (folder / "journal.jsonl").read_text() == "out\nout\n"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "journal.jsonl").stat().st_mode) == 0o600


def test_a_link_instead_of_a_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "stderr").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ProcessError):
        Supervisor().run(shell("echo x >&2", tmp_path, files=folder))
    assert not (tmp_path / "elsewhere").exists()


def parent_of(script: str, cwd: Path, *, files: bool) -> subprocess.Popen[bytes]:
    """A process of its own that runs `script` under a supervisor, as infra does."""
    code = f"""
import sys
from pathlib import Path
from orchestrator.process import Command, Supervisor
cwd = Path({str(cwd)!r})
supervisor = Supervisor()
def second(left):
    (cwd / "second").write_text(repr(left))
with supervisor.handling_signals(on_first=lambda: (cwd / "first").write_text("x"), on_second=second):
    done = supervisor.run(Command(("/bin/sh", "-c", {script!r}), cwd, {ENV!r}, title="apply of dev/a",
        files=cwd / "run" if {files!r} else None, pid_file=cwd / "pid.json"), lambda stream, line: None)
(cwd / "ended").write_text(f"{{done.ended}} {{done.returncode}}")
"""
    root = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", code], cwd=root)


@pytest.mark.parametrize("files", [True, False])
def test_a_killed_parent_loses_nothing_only_with_files(tmp_path: Path, files: bool) -> None:
    script = "echo one; touch started; sleep 0.6; echo two; echo three; touch finished"
    parent = parent_of(script, tmp_path, files=files)
    pid = json.loads(wait_for(tmp_path / "pid.json"))["pid"]
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    assert wait_gone(pid)
    if files:
        assert (tmp_path / "run" / "stdout").read_text() == "one\ntwo\nthree\n"
        assert (tmp_path / "finished").exists()
    else:
        # What a pipe would do to an apply: the shell's `echo` fails, a Go program dies.
        assert not (tmp_path / "run").exists()


# Deadlines


def test_a_deadline_interrupts_and_waits(tmp_path: Path) -> None:
    script = "trap 'echo tidying; sleep 0.2; exit 3' INT; while :; do sleep 0.05; done"
    done = Supervisor().run(shell(script, tmp_path, deadline=0.5, grace=30))
    assert (done.ended, done.returncode, done.stdout) == ("deadline", 3, b"tidying\n")
    assert done.seconds < 20


def test_what_ignores_the_interrupt_is_killed_with_all_its_group(tmp_path: Path) -> None:
    script = "trap '' INT; sleep 60 & echo $!; wait; sleep 60"
    done = Supervisor().run(shell(script, tmp_path, deadline=0.4, grace=0.2))
    assert (done.ended, done.returncode) == ("deadline", -signal.SIGKILL)
    assert wait_gone(int(done.stdout))


def test_a_phase_has_a_deadline_of_its_own(tmp_path: Path) -> None:
    script = "echo working; echo 'Releasing state lock. This may take' >&2; exec sleep 60"
    command = shell(script, tmp_path, deadline=300, phase_deadlines=((b"Releasing state lock", 0.3),))
    done = Supervisor().run(command)
    assert (done.ended, done.phase) == ("deadline", b"Releasing state lock")
    assert done.seconds < 20


def test_a_phase_does_not_lengthen_the_deadline(tmp_path: Path) -> None:
    command = shell("echo go; exec sleep 60", tmp_path, deadline=0.3, phase_deadlines=((b"go", 30),))
    done = Supervisor().run(command)
    assert (done.ended, done.phase) == ("deadline", None)


# Interrupts

COUNTS_SIGNALS = (
    "import signal, sys, time, os\n"
    "got = []\n"
    "def hear(*a): got.append(1); open(f'{sys.argv[1]}-heard', 'w').write('x')\n"
    "signal.signal(signal.SIGINT, hear)\n"
    "open(sys.argv[1], 'w').write('x')\n"
    "print('ready', file=sys.stderr, flush=True)\n"
    "end = time.monotonic() + 20\n"
    "while not got and time.monotonic() < end: time.sleep(0.01)\n"
    "while not os.path.exists(sys.argv[2]) and time.monotonic() < end: time.sleep(0.01)\n"
    "print(len(got))"
)


def test_an_interrupt_is_forwarded_once_to_every_child(tmp_path: Path) -> None:
    supervisor = Supervisor()
    commands = [
        Command(
            (*PYTHON, COUNTS_SIGNALS, f"ready{n}", "enough"),
            tmp_path,
            ENV,
            files=tmp_path / f"f{n}" if n else None,
        )
        for n in range(3)
    ]
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(supervisor.run, command) for command in commands]
        for n in range(3):
            wait_for(tmp_path / f"ready{n}")
        supervisor.interrupt()
        # Two that come before the first is heard would be one.
        for n in range(3):
            wait_for(tmp_path / f"ready{n}-heard")
        supervisor.interrupt()
        (tmp_path / "enough").touch()
        results = [future.result() for future in futures]
    assert [(r.ended, r.stdout) for r in results] == [("interrupted", b"1\n")] * 3
    with pytest.raises(InterruptedRunError):
        supervisor.run(shell("touch ran", tmp_path))
    assert not (tmp_path / "ran").exists()


def test_a_deadline_after_an_interrupt_sends_no_second_signal(tmp_path: Path) -> None:
    supervisor = Supervisor()
    command = Command(
        (*PYTHON, COUNTS_SIGNALS, "ready", "enough"),
        tmp_path,
        ENV,
        files=tmp_path / "f",
        phase_deadlines=((b"ready", 0.1),),
    )
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(supervisor.run, command)
        wait_for(tmp_path / "ready")
        supervisor.interrupt()
        # Until well after the deadline.
        time.sleep(0.2)
        (tmp_path / "enough").touch()
        done = future.result()
    assert done.stdout == b"1\n"
    assert done.seconds > 0.1


def test_after_an_interrupt_only_what_reads_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor()
    script = "trap '' INT; touch $0; sleep 1; echo saved"
    reads = Command(("/bin/sh", "-c", script, "a"), tmp_path, ENV, grace=0.1)
    writes = Command(("/bin/sh", "-c", script, "b"), tmp_path, ENV, grace=0.1, files=tmp_path / "f")
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(supervisor.run, command) for command in (reads, writes)]
        while not ((tmp_path / "a").exists() and (tmp_path / "b").exists()):
            time.sleep(0.01)
        supervisor.interrupt()
        read, written = (future.result() for future in futures)
    assert read.returncode == -signal.SIGKILL
    assert (written.returncode, written.stdout, written.ended) == (0, b"saved\n", "interrupted")


@pytest.mark.parametrize("numbers", [(signal.SIGTERM,), (signal.SIGHUP, signal.SIGHUP)])
def test_one_signal_to_us_ends_in_order(tmp_path: Path, numbers: tuple[signal.Signals, ...]) -> None:
    """A terminal that is closed sends SIGHUP more than once."""
    script = "trap 'echo released; exit 1' INT; touch started; for i in 1 2 3 4 5 6; do sleep 5 & wait; done"
    parent = parent_of(script, tmp_path, files=True)
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    for number in numbers:
        parent.send_signal(number)
        wait_for(tmp_path / "first")
    assert parent.wait(20) == 0
    assert (tmp_path / "first").exists()
    assert (tmp_path / "ended").read_text() == "interrupted 1"
    assert (tmp_path / "run" / "stdout").read_text() == "released\n"


def test_an_ignored_hangup_stays_ignored() -> None:
    """`nohup infra apply` goes on when the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        supervisor = Supervisor()
        with supervisor.handling_signals():
            os.kill(os.getpid(), signal.SIGHUP)
        assert not supervisor.interrupted
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("files", "code"), [(True, 7), (False, 130)])
def test_a_second_signal_ends_us_at_once(tmp_path: Path, files: bool, code: int) -> None:
    script = "trap '' INT; touch started; sleep 1; touch finished"
    parent = parent_of(script, tmp_path, files=files)
    pid = json.loads(wait_for(tmp_path / "pid.json"))["pid"]
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    parent.send_signal(signal.SIGINT)
    wait_for(tmp_path / "first")
    parent.send_signal(signal.SIGINT)
    assert parent.wait(10) == code
    assert not (tmp_path / "ended").exists()
    assert wait_gone(pid)
    assert (tmp_path / "finished").exists() is files
    assert (tmp_path / "second").read_text() == (f"['apply of dev/a (pid {pid})']" if files else "[]")


# What cannot be started


@pytest.mark.parametrize(
    ("argv", "error", "output"),
    [
        (("/no/such/terraform",), BinaryError, "does not exist"),
        (("no-such-terraform",), BinaryError, "does not exist"),
        (("./plain.txt",), BinaryError, "cannot be run"),
        (("./empty-program",), BinaryError, "cannot be run"),
        (("/bin/echo", "a\0b"), ProcessError, "null byte"),
    ],
)
def test_what_cannot_be_started_is_one_clear_error(
    tmp_path: Path, argv: tuple[str, ...], error: type[Exception], output: str
) -> None:
    (tmp_path / "plain.txt").write_text("x")
    program = tmp_path / "empty-program"
    program.write_bytes(b"\x00\x01not a program")
    program.chmod(0o755)
    open_before = open_descriptors()
    with pytest.raises(error, match=output):
        Supervisor().run(Command(argv, tmp_path, ENV))
    assert open_descriptors() <= open_before


def test_a_missing_folder_is_not_blamed_on_the_program(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="folder"):
        Supervisor().run(shell("true", tmp_path / "missing"))


# Identity and cleanliness


def test_a_pid_file_distinguishes_a_process_from_a_later_one(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid.json"
    os.mkfifo(tmp_path / "fifo")
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            Supervisor().run, shell("read x < fifo", tmp_path, pid_file=pid_file, deadline=30)
        )
        wait_for(pid_file)
        recorded = read_pid_file(pid_file)
        assert recorded is not None
        assert recorded.alive
        assert not is_alive(recorded.pid, recorded.started + "0")
        assert stat.S_IMODE(pid_file.stat().st_mode) == 0o600
        (tmp_path / "fifo").write_text("go\n")
        assert future.result().ok
    assert not recorded.alive


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_broken_pid_file_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "pid.json").write_text(text)
    assert read_pid_file(tmp_path / "pid.json") is None


def test_many_children_leave_no_descriptor_thread_or_zombie(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.run(shell("true", tmp_path))
    open_before, threads = len(open_descriptors()), threading.active_count()
    with ThreadPoolExecutor(8) as pool:
        commands = [
            shell(f"echo $$ {n}", tmp_path, files=tmp_path / f"f{n}" if n % 2 else None) for n in range(60)
        ]
        results = list(pool.map(supervisor.run, commands))
    assert [int(r.stdout.split()[1]) for r in results] == list(range(60))
    assert len(open_descriptors()) == open_before
    assert threading.active_count() == threads
    for result in results:
        with pytest.raises(ChildProcessError):
            os.waitpid(int(result.stdout.split()[0]), os.WNOHANG)


def test_it_works_without_pidfd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    supervisor = Supervisor()
    piped = supervisor.run(shell("echo a; sleep 0.2; echo b", tmp_path))
    filed = supervisor.run(shell("echo a; sleep 0.2; echo b", tmp_path, files=tmp_path / "f"))
    late = supervisor.run(shell("exec sleep 60", tmp_path, deadline=0.3))
    assert (piped.stdout, filed.stdout) == (b"a\nb\n", b"a\nb\n")
    assert (late.ended, late.returncode) == ("deadline", -signal.SIGINT)


def test_the_terminal_is_lent_to_an_interactive_child(tmp_path: Path) -> None:
    main, other = os.openpty()
    code = (
        "import sys; from pathlib import Path; from orchestrator.process import Command, Supervisor\n"
        "argv = ('/bin/sh', '-c', 'read x; echo got $x; test -t 1')\n"
        f"done = Supervisor().run(Command(argv, Path('/'), {ENV!r}, stdin='inherit'))\n"
        "sys.exit(done.returncode)"
    )
    root = Path(__file__).parents[2]
    child = subprocess.Popen([sys.executable, "-c", code], cwd=root, stdin=other, stdout=other, stderr=other)
    os.close(other)
    os.write(main, b"hello\n")
    assert child.wait(20) == 0
    assert b"got hello" in os.read(main, 1000)
    os.close(main)


def test_the_memory_of_the_largest_process_is_measured(tmp_path: Path) -> None:
    import resource
    import sys

    # A process that was just forked counts with the memory of the one that forked it.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)
    size = own + 200
    fills = f"data = bytearray({size} << 20); data[::4096] = b'x' * len(data[::4096])"
    argv = (
        sys.executable,
        "-c",
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {fills!r}])",
    )
    done = Supervisor().run(Command(argv, tmp_path, dict(os.environ)))
    assert (done.ok, size << 10 < done.peak_memory < size + 200 << 10) == (True, True)
    assert Supervisor().run(shell("exit 3", tmp_path)).peak_memory < done.peak_memory
