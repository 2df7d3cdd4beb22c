"""CWTS itself, the interpreter, and the libraries beside it."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from cwts._doctor.row import Row, missing, ok, warn

__all__ = ["log_rows", "rows"]

_AREA: Final = "software"
_PYTHON_NEEDED: Final = (3, 11)
#: What CWTS does not start without, and the oldest version that it was written for.
_NEEDED: Final = {"numpy": (1, 26), "click": (8,), "rich": (0,)}
#: What it takes if it is there: the extra that installs it, and what it is for.
_EXTRAS: Final = {
    "pandas": ("pandas", "to_pandas()"),
    "polars": ("polars", "to_polars()"),
    "pyarrow": ("arrow", "to_arrow() and Parquet through pyarrow"),
}


def rows() -> list[Row]:
    """Give the rows of this area."""
    return [_core(), _python(), *map(_library, _NEEDED), *map(_extra, _EXTRAS), _keys()]


def log_rows(directory: Path) -> list[Row]:
    """Give the row about a log's first frame key, if there is a log and its keys can be found."""
    if not (directory / "wal").is_dir():
        return []
    from cwts import _core as core

    try:
        path = core.k0_on_host(str(directory))
    except core.CwtsError:
        return []
    if path is None:
        return [ok(_AREA, "K_0 of the log", "not on this host")]
    todo = "move it to whoever is to check the log; this host does not need it"
    return [warn(_AREA, "K_0 of the log", path, todo)]


def _core() -> Row:
    try:
        from cwts import _core as core
    except ImportError as error:
        value = f"the extension does not load: {error}"
        return missing(_AREA, "cwts", value, "install the wheel of this platform again")
    value = f"{core.VERSION}, {core.BUILD_PROFILE} build"
    if core.BUILD_PROFILE != "release":
        return warn(_AREA, "cwts", value, "install a release build: this one is many times slower")
    return ok(_AREA, "cwts", value)


def _python() -> Row:
    value = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.version_info < _PYTHON_NEEDED:
        return missing(_AREA, "Python", value, "install Python 3.11 or later")
    return ok(_AREA, "Python", value)


def _library(name: str) -> Row:
    floor = _NEEDED[name]
    wanted = ".".join(map(str, floor))
    version = _version(name)
    if version is None:
        return missing(_AREA, name, "not installed", f"pip install '{name}>={wanted}'")
    found = tuple(int(part) for part in re.findall(r"\d+", version)[: len(floor)])
    if found < floor:
        return missing(_AREA, name, version, f"pip install '{name}>={wanted}'")
    return ok(_AREA, name, version)


def _extra(name: str) -> Row:
    extra, what = _EXTRAS[name]
    version = _version(name)
    if version is None:
        return ok(_AREA, name, "not installed (optional)", f"pip install 'cwts[{extra}]': {what}")
    return ok(_AREA, name, version)


def _version(name: str) -> str | None:
    """Version of a library, without importing it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _keys() -> Row:
    """Whether a log's secret keys would find a place."""
    named = os.environ.get("CWTS_KEYS")
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local/state"
    folder = Path(named) if named else base / "cwts" / "keys"
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        todo = "set CWTS_KEYS to a folder that this user, and nobody else, may write"
        return missing(_AREA, "keys folder", f"{folder}: cannot be made", todo)
    if folder.is_dir() and folder.stat().st_mode & 0o077:
        return warn(_AREA, "keys folder", f"{folder}: others may look in", f"chmod 700 {folder}")
    return ok(_AREA, "keys folder", str(folder))
