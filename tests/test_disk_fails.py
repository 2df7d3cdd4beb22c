"""A disk that takes no more: the log stops for good, and so does everything that it proves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cwts import Gateway, audit
from desk import LIMITS

#: Writes beyond 4,096 bytes of a file fail from here on, in this process: EFBIG, as EIO and ENOSPC.
CHILD = """
import json, resource, signal, sys, time
from pathlib import Path
from cwts import Gateway, Order
from cwts.errors import LogFailedError
limits, log, keys, calls = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
gateway = Gateway(limits, log, keys=keys, clock=None)
gateway.set_reference("ACME", last="10")
order = Order("ACME", "buy", 1, "10", "alpha", "default")
gateway.submit(order)
gateway.flush()
page = Path(log) / "kill.page"
before = page.read_bytes()[64]
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
said = []
for _ in range(int(calls)):
    try:
        gateway.submit(order)
        gateway.flush()
        said.append("passed")
    except LogFailedError as error:
        said.append(error.code)
deadline = time.monotonic() + 20
while page.read_bytes()[64] == before and time.monotonic() < deadline:
    time.sleep(0.01)
print(json.dumps({"said": said, "before": before, "after": page.read_bytes()[64]}))
sys.stdout.flush()
import os
os._exit(0)
"""


@pytest.mark.parametrize("calls", [1, 3])
def test_a_failed_write_ends_the_log_and_trips_the_switch(tmp_path: Path, calls: int) -> None:
    """Whoever looks at the kill page, from whatever process, sees the firm halted."""
    limits, log, keys = tmp_path / "limits.toml", tmp_path / "log", tmp_path / "keys"
    limits.write_text(LIMITS, encoding="utf-8")
    command = [sys.executable, "-c", CHILD, limits, log, keys, str(calls)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["said"] == ["LOG_FAILED"] * calls, "nothing passes behind the first failure"
    assert (found["before"], found["after"]) == (0, 2)
    verdict = audit.verify(log)
    assert verdict.ok, "what was on disk is as it was"
    assert not verdict.clean
    with Gateway(limits, log, keys=keys, clock=None) as gateway:
        (hold,) = gateway.holds()
        assert (hold.scope, hold.state, hold.actor) == ("firm", "HALTED", "gateway")
        assert hold.reason.startswith("the log failed: "), "until somebody resumes"
    assert audit.verify(log).ok
