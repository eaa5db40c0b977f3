"""`infra`, and `python -m orchestrator`: from the first moment on, Ctrl-C ends it without a traceback."""

import signal


def start() -> None:
    """Import the commands and run one. Until it handles interrupts itself, an interrupt just ends us."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from orchestrator.cli.main import main

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


if __name__ == "__main__":
    start()
