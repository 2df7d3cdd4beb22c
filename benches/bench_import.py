"""What `import cwts` costs a program that may not even use it."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from .common import Benched

RUNS = 9


class Import(Benched):
    """A whole interpreter each time: an import happens once a process."""

    def track_import_over_pass(self):
        pairs = [(seconds("import cwts"), seconds("pass")) for _ in range(RUNS)]
        return statistics.median(ours / bare for ours, bare in pairs)

    track_import_over_pass.unit = "x"

    def timeraw_import_cwts(self):
        return "import cwts"

    def timeraw_import_core(self):
        return "import cwts._core"


def seconds(code):
    """Wall time of one interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own text
    return time.perf_counter() - start
