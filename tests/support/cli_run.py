"""Running the command line, and the data that its tests read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from cwts import _core
from cwts.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CWTS_DATA") or ROOT.parent / "shared" / "data")
AMZN = DATA / "orderflow/lobster/AMZN_2012-06-21_34200000_57600000_message_1.csv.gz"
ES = DATA / "orderflow/cme_mbo/esh4-glbx-mdp3-20231225.mbo.dbn.zst"
P1 = ROOT / "tests/data/limits/P1.toml"
P4 = ROOT / "tests/data/limits/P4.toml"

needs_amzn = pytest.mark.skipif(
    not AMZN.is_file(), reason=f"NO MARKET DATA: {AMZN} is absent; set CWTS_DATA"
)
needs_es = pytest.mark.skipif(
    not ES.is_file(), reason=f"NO MARKET DATA: {ES} is absent; set CWTS_DATA"
)


def invoke(*args: object) -> Result:
    """Run a command in this process; what `run` would print for an error is left to `cli`."""
    return CliRunner().invoke(app, [str(arg) for arg in args])


def cli(*args: object) -> subprocess.CompletedProcess[str]:
    """Run the real thing."""
    command = [sys.executable, "-c", "from cwts.cli import main; main()", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def schema(name: str) -> Any:
    if name == "limits-v1.json":
        # Made from the reader's own table of keys.
        return _core.limits_schema()
    return json.loads((files("cwts") / "schemas" / name).read_text(encoding="utf-8"))


def check_schema(value: Any, name: str) -> None:
    jsonschema.validate(value, schema(name), cls=jsonschema.Draft202012Validator)
