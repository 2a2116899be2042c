"""Tries to connect to a Ray cluster and prints the outcome as JSON. Runs as a process of its own for `cluster`."""

from __future__ import annotations

import json
import logging
import sys


def main(address: str) -> None:
    """Prints ``{"error": null}`` or the reason."""
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        ray.shutdown()
        reason = None
    except (OSError, RuntimeError, ValueError, SystemExit) as error:
        reason = "no answer" if isinstance(error, SystemExit) else str(error)
    sys.stdout.write("\n" + json.dumps({"error": reason}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
