"""What tests of several files are given.

Imports of `cwts` stand inside: some tests run before anything is built.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from desk import Desk


@pytest.fixture(autouse=True)
def _keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of the test's own: none is made, or used, where the user keeps theirs."""
    monkeypatch.setenv("CWTS_KEYS", str(tmp_path / "keys"))


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A small file of ordinary order flow."""
    from cwts import datasets

    path = tmp_path / "in.csv"
    datasets.synth(path, 500)
    return path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A small firm in a directory of its own."""
    from desk import Desk

    return Desk(tmp_path)
