"""The stub of the core is what the core is: mypy's stubtest compares the two."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STUB = ROOT / "python/cwts/_core.pyi"
ALLOWED = Path(__file__).with_name("stubtest-allow.txt")


def stubtest(cwd: Path, stubs: Path) -> subprocess.CompletedProcess[str]:
    """Run stubtest against the stubs in a folder; every unused exception is an error, too."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "mypy.stubtest", "cwts._core"),
            *("--allowlist", str(ALLOWED), "--concise"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "MYPYPATH": str(stubs), "MYPY_CACHE_DIR": str(cwd / "cache")},
        timeout=110,
    )


def copied(folder: Path, text: str) -> Path:
    """A folder that mypy takes the stub of `cwts._core` from."""
    package = folder / "stubs/cwts"
    package.mkdir(parents=True)
    package.joinpath("__init__.py").touch()
    package.joinpath("py.typed").touch()
    package.joinpath("_core.pyi").write_text(text)
    return package.parent


@pytest.mark.parametrize("fault", ["none", "parameter", "method", "type", "name"])
def test_the_stub_is_the_core_and_a_wrong_stub_is_found(tmp_path: Path, fault: str) -> None:
    """The canary beside the check: a stub that is wrong in one word must not pass."""
    text = STUB.read_text()
    changes = {
        "none": ("", ""),
        "parameter": ("def unpack(dir: str,", "def unpack(folder: str,"),
        "method": ("def snapshot(self)", "def snapshots(self)"),
        "type": ("        release: str = ", "        release: str | None = None, wait: str = "),
        "name": ("def schema() -> str", "def scheme() -> str"),
    }
    old, new = changes[fault]
    assert text.count(old) == 1 or not old
    done = stubtest(tmp_path, copied(tmp_path, text.replace(old, new) if old else text))
    if fault == "none":
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        assert done.returncode == 1, done.stdout + done.stderr
        assert "cwts._core" in done.stdout
        assert "build errors" not in done.stdout, "it failed before it compared anything"


def test_every_exception_has_a_reason() -> None:
    """An entry of the allow list stands behind a comment that says why."""
    lines = ALLOWED.read_text().splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        if line and not line.startswith("#"):
            assert above.startswith("# "), f"{line}: no reason above it"
    assert len(ALLOWED.read_text()) < 4_000


def test_the_stub_names_every_export_once() -> None:
    from cwts import _core

    text = STUB.read_text()
    listed = re.findall(r'^    "(\w+)",$', text.split("]", 1)[0], re.MULTILINE)
    assert listed == sorted(
        listed, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    assert set(listed) == {name for name in vars(_core) if not name.startswith("_")}
