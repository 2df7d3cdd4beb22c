"""The command line, one file a command."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; the entry point of the script ``cwts``."""
    try:
        from cwts.cli.app import run

        code = run()
    except KeyboardInterrupt:
        # Before `run` could say so itself: while modules were imported.
        sys.stderr.write("\ncwts: cancelled\n")
        code = 130
    sys.exit(code)
