"""Chromium without a screen and without a network."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_TIMEOUT_S = 90


def chromium(folder: Path, *arguments: str, budget_ms: int = 4_000) -> bytes:
    """Run it with a profile of its own in `folder`, and give what it prints."""
    assert CHROMIUM
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--hide-scrollbars",
            f"--user-data-dir={folder / 'profile'}",
            f"--virtual-time-budget={budget_ms}",
            *arguments,
        ],
        capture_output=True,
        check=True,
        timeout=_TIMEOUT_S,
    )
    return done.stdout
