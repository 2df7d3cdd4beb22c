"""A log that is broken before its checkpoint is refused by whoever reads it, and named."""

from __future__ import annotations

import pytest

from cli_run import cli
from desk import Desk, buy, set_references

#: What reads a log without verifying it first.
READERS = [
    ("report", "--kind", "limits"),
    ("explain", "1"),
    ("status",),
    ("whatif", "--limits", "LIMITS"),
]


def read(desk: Desk, name: str, *more: str) -> tuple[int, str]:
    limits = desk.root / "limits.toml"
    limits.write_text(desk.text)
    options = [str(limits) if option == "LIMITS" else option for option in more]
    done = cli(name, desk.log, *options)
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_reader_that_comes_to_less_than_the_checkpoint_says_so(
    command: tuple[str, ...], desk: Desk
) -> None:
    gateway = desk.open()
    set_references(gateway)
    for _ in range(20):
        assert gateway.submit(buy(1)).accepted
    gateway.close()
    assert read(desk, *command) == (0, "")
    (wal,) = sorted((desk.log / "wal").glob("*.wal"))
    whole = wal.read_bytes()
    for at in (0, 200, len(whole) // 2):
        wal.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        code, told = read(desk, *command)
        assert code != 0, f"{at}: {told}"
        assert wal.name in told, told
    # A torn tail behind the checkpoint is no damage: a power cut leaves one.
    wal.write_bytes(whole + whole[:100])
    assert read(desk, *command)[0] == 0
