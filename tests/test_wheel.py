"""The wheel that users install: small, for every Python from 3.11, with nothing but the package.

CWTS_WHEEL names it: `CWTS_WHEEL=dist/cwts-....whl pytest tests/test_wheel.py`.
"""

from __future__ import annotations

import email.parser
import json
import os
import zipfile
from pathlib import Path

import pytest

SIZE_BYTES_MAX = 15 * 10**6
#: Market data, and logs: never ours to ship.
DATA = {".csv", ".dbn", ".gz", ".zst", ".itch", ".itch50", ".xz", ".parquet", ".arrow", ".wal"}
#: What is unsafe to ship whatever it holds.
SECRET = {".key", ".pem"}


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The wheel under test; without one there is nothing to look at."""
    named = os.environ.get("CWTS_WHEEL")
    if not named:
        pytest.skip("NO WHEEL: set CWTS_WHEEL to the path of a built wheel")
    path = Path(named)
    assert path.is_file(), f"CWTS_WHEEL names {path}, which is no file"
    return path


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < SIZE_BYTES_MAX


def test_one_wheel_serves_every_python(wheel: Path) -> None:
    _, version, python, abi, platform = wheel.stem.split("-")
    assert (python, abi) == ("cp311", "abi3")
    assert platform.startswith(("manylinux", "linux"))
    assert version[0].isdigit()
    cores = [name for name in names(wheel) if name.endswith(".so")]
    assert cores == ["cwts/_core.abi3.so"]


def test_it_holds_neither_data_nor_keys_nor_sources(wheel: Path) -> None:
    for name in names(wheel):
        suffixes = set(Path(name).suffixes)
        assert not suffixes & (DATA | SECRET), name
        assert not suffixes & {".rs", ".pyc", ".lock"}, name
        assert name.startswith(("cwts/", "cwts-")), name


def test_what_the_package_needs_is_there(wheel: Path) -> None:
    found = set(names(wheel))
    wanted = {
        "__init__.py",
        "py.typed",
        "_core.pyi",
        "defaults/equity.toml",
        "defaults/future.toml",
        "cli/app.py",
    }
    wanted |= {"defaults/starter.toml", "defaults/first_order.py.in", "schemas/replay-v1.json"}
    wanted |= {"pages/verify.html"}
    assert {f"cwts/{name}" for name in wanted} <= found
    assert any(name.endswith("/licenses/LICENSE") for name in found)


def test_its_bill_of_materials_names_what_is_linked(wheel: Path) -> None:
    found = [name for name in names(wheel) if "/sboms/" in name and name.endswith(".json")]
    assert found, "no SBOM"
    with zipfile.ZipFile(wheel) as archive:
        documents = [json.loads(archive.read(name)) for name in found]
    linked = {part["name"] for document in documents for part in document["components"]}
    assert {"cwts-risk", "cwts-audit", "cwts-feeds", "ed25519-dalek", "sha2", "pyo3"} <= linked


def test_its_metadata_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        head = email.parser.BytesParser().parsebytes(archive.read(name))
    assert head["Requires-Python"] == ">=3.11"
    needed = [line for line in head.get_all("Requires-Dist") if "extra ==" not in line]
    assert sorted(line.split(">")[0].strip() for line in needed) == ["click", "numpy", "rich"]
    assert not any("<" in line for line in needed), "floors, never ceilings"


def test_the_core_does_not_name_the_checkout_that_it_was_built_in(wheel: Path) -> None:
    checkout = str(Path(__file__).resolve().parent.parent)
    with zipfile.ZipFile(wheel) as archive:
        core = archive.read("cwts/_core.abi3.so")
    assert b"rust/gateway/src" in core, "panics name their file"
    assert checkout.encode() not in core
