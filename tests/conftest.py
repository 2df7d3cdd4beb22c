"""What tests of several files are given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A small firm in a directory of its own."""
    # Here and not above: tests of the Python side alone run before anything is built.
    from desk import Desk

    return Desk(tmp_path)
