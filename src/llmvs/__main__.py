"""`python -m llmvs` is the same as `llmvs`."""

import signal
import sys


def main() -> int:
    """Run the command line; Ctrl-C is answered in a line while it is being imported, too."""
    try:
        from llmvs.cli import main as run
    except KeyboardInterrupt:
        from llmvs.interruption import end_of

        return end_of()
    status = run()
    for number in (signal.SIGINT, signal.SIGTERM):  # all is done: no status but the verb's own
        signal.signal(number, signal.SIG_IGN)
    return status


if __name__ == "__main__":
    sys.exit(main())
