"""LazyFS: a file system that forgets what was not synced, when it is told to.

It is mounted where ``CWTS_LAZYFS`` names its program (docs/lazyfs.md says how it is built).
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONFIG = """[faults]
fifo_path="{folder}/faults"
fifo_path_completed="{folder}/completed"
[cache]
apply_eviction=false
[cache.simple]
custom_size="0.2gb"
blocks_per_page=1
[filesystem]
log_all_operations=false
logfile=""
"""
PATIENCE_S = 20.0


@dataclass
class Lazy:
    """A mounted LazyFS; `mount` is where it is seen, `root` holds what is synced."""

    mount: Path
    root: Path
    folder: Path

    def power_cut(self) -> None:
        """Forget everything that is not synced; returns when that is done."""
        # A reader from before the command on: LazyFS does not wait for one.
        completed = os.open(self.folder / "completed", os.O_RDONLY | os.O_NONBLOCK)
        try:
            with (self.folder / "faults").open("w", encoding="ascii") as fifo:
                fifo.write("lazyfs::clear-cache\n")
            ready, _, _ = select.select([completed], [], [], PATIENCE_S)
            assert ready, "LazyFS does not answer"
            said = os.read(completed, 100)
        finally:
            os.close(completed)
        assert said.strip() == b"finished::clear-cache", said


def program() -> tuple[str | None, str]:
    """LazyFS's program, or why it is not mounted here."""
    found = os.environ.get("CWTS_LAZYFS")
    if not found:
        return None, "NO LAZYFS: set CWTS_LAZYFS to its program, see docs/lazyfs.md"
    if not Path(found).is_file():
        return None, f"NO LAZYFS: CWTS_LAZYFS is {found}, which is no file"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return None, "NO LAZYFS: /dev/fuse cannot be opened here"
    return found, ""


@contextmanager
def mounted(lazyfs: str, folder: Path) -> Iterator[Lazy]:
    """Mount it in an empty folder."""
    lazy = Lazy(folder / "mount", folder / "root", folder)
    lazy.mount.mkdir()
    lazy.root.mkdir()
    # Where it looks whatever it is told.
    config = folder / "config" / "default.toml"
    config.parent.mkdir()
    config.write_text(CONFIG.format(folder=folder), encoding="ascii")
    words = [lazyfs, lazy.mount, "-o", "modules=subdir"]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [*words, "-o", f"subdir={lazy.root}", "-f"],
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not lazy.mount.is_mount():
            assert process.poll() is None, (folder / "said").read_text(errors="replace")
            assert time.monotonic() < deadline, "LazyFS does not come up"
            time.sleep(0.02)
        yield lazy
    finally:
        subprocess.run(["umount", lazy.mount], check=False, timeout=PATIENCE_S)
        process.terminate()
        process.wait(PATIENCE_S)
