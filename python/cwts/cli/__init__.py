"""The command line, one file a command."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; the entry point of the script ``cwts``."""
    from cwts.cli.app import run

    sys.exit(run())
