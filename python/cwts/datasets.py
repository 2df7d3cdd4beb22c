"""Order flow without a market: the generator, and the limits that come with cwts.

No market data ships with cwts. Generated flow is the same for a seed on every machine.
"""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from cwts import _core
from cwts.errors import input_error

__all__ = ["DEFAULT_LIMITS", "FORMATS", "default_limits", "synth"]

#: What a run shows as the path of the limits that come with cwts.
DEFAULT_LIMITS: Final = "cwts/defaults/equity.toml"

#: Formats that `synth` writes, by suffix.
FORMATS: Final = {".csv": "csv", ".parquet": "parquet", ".arrow": "arrow", ".itch": "itch"}


def default_limits() -> bytes:
    """Give the text of the limits that a replay uses when it is given none."""
    return (files("cwts") / "defaults" / "equity.toml").read_bytes()


def synth(
    path: str | os.PathLike[str],
    events: int,
    *,
    seed: int = 7,
    profile: str = "equity-liquid",
    anomalies: bool = False,
    instruments: int = 8,
) -> list[dict[str, Any]]:
    """Write synthetic order flow to a file.

    Parameters
    ----------
    path : path-like
        Where to; the suffix says the format: ``.csv``, ``.parquet``, ``.arrow`` or ``.itch``. An
        ITCH file holds one day and no accounts: see ``docs/files.md``.
    events : int
        How many.
    seed : int
        The same seed gives the same bytes, on every machine.
    profile : str
        Which market it looks like.
    anomalies : bool
        Whether to put in the known anomalies, each once.
    instruments : int
        How many instruments have flow.

    Returns
    -------
    list of dict
        The anomalies: ``seq`` (the record of the first event), ``kind``, ``expect`` (the controls
        of which one must name it) and ``order_ids``. Nothing in the file tells them apart.
    """
    suffix = Path(path).suffix
    if suffix not in FORMATS:
        raise input_error(f"{os.fspath(path)}: the suffix must be one of {', '.join(FORMATS)}")
    labels = _core.generate(
        os.fspath(path),
        FORMATS[suffix],
        profile=profile,
        events=events,
        seed=seed,
        anomalies=anomalies,
        instruments=instruments,
    )
    return [json.loads(line) for line in labels.splitlines()]
