"""`python -m orchestrator` is `infra`."""

from orchestrator.cli.main import main

if __name__ == "__main__":
    main()
