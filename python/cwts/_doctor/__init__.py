"""What this machine gives to CWTS: one row a question, each with what to do about it.

Every check reads; the only things written are files without a name in the directory that is asked
about. Nothing is fetched, and nothing needs root.
"""

from __future__ import annotations

from pathlib import Path

from cwts._doctor import clock, cpu, disk, memory, sandbox, software
from cwts._doctor.row import Row

__all__ = ["Row", "examine"]


def examine(directory: Path) -> list[Row]:
    """Ask everything, in the order in which a person wants to read it.

    Parameters
    ----------
    directory : Path
        Where a log is or will be: its disk is measured.
    """
    return [
        *software.rows(),
        *software.log_rows(directory),
        *cpu.rows(),
        *memory.rows(),
        *clock.rows(),
        *disk.rows(directory),
        *sandbox.rows(),
    ]
