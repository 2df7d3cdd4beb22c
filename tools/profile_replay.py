"""Where a replay's time goes: instructions by stage, counted by valgrind, deaf to other programs.

Usage: profile_replay.py FILE [--limits LIMITS] [--log]

FILE is replayed once, in the environment that runs this. Valgrind has no SHA-NI, so SHA-256 is
told in blocks of 64 bytes, which a processor with SHA-NI does in about 120 cycles; the shares are
those of the other instructions. Disk time is not an instruction: `cwts replay --json` says the
seconds from the last decision to the last sync, under `seconds.log`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: The stage of a function: the first pattern that its name matches.
STAGES = (
    ("hashing", r"sha2|leaf_hash|merkle"),
    ("decode", r"cwts_feeds|csv_core|zlib|inflate|memchr|zstd|ZSTD|lzma"),
    ("evaluate and reserve", r"cwts_risk|__divti3|__modti3|u128_div_rem"),
    ("log push", r"push_pair|LogTail|long_slot|cwts_types::entry"),
    ("log write", r"cwts_audit|cwts_ring|gateway::log|crc32c"),
    ("count and report", r"stats|hdrhistogram|json|fmt::|btree|quanta|ryu|itoa"),
    ("fold", r"cwts_gateway|hashbrown|replay"),
    ("memory", r"mem(cpy|move|set|cmp)|malloc|free|realloc|calloc"),
)
#: Instructions of valgrind's SHA-256 for one block of 64 bytes.
SOFT_SHA_BLOCK = 3_440

REPLAY = """\
import json, sys
import cwts
path, limits, log, keys = sys.argv[1:]
found = cwts.replay(path, limits, mapping="all", log=log or None, keys=keys, keep=False).json
print(json.dumps({key: found[key] for key in ("orders", "events", "seconds")}))
"""


def main() -> int:
    """Profile, and print shares by stage, then the dearest functions."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--limits", type=Path, default=ROOT / "tests/data/limits/P1.toml")
    parser.add_argument("--log", action="store_true", help="with a log on disk")
    given = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not on PATH: apt-get install valgrind")
    with tempfile.TemporaryDirectory(prefix="cwts-profile-") as folder:
        out = Path(folder) / "callgrind.out"
        log = str(Path(folder) / "log") if given.log else ""
        keys = str(Path(folder) / "keys")
        replay = [sys.executable, "-c", REPLAY, str(given.file), str(given.limits), log, keys]
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        done = subprocess.run([*tool, *replay], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stderr[-2_000:])
        listing = subprocess.run(
            ["callgrind_annotate", "--threshold=99.99", str(out)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    sys.stdout.write(done.stdout)
    found = list(functions(listing))
    blocks = sum(count for count, name in found if "compress" in name and "sha2" in name)
    rest = [(count, name) for count, name in found if not ("sha2" in name and "compress" in name)]
    print(f"\nSHA-256: {blocks // SOFT_SHA_BLOCK:,} blocks of 64 bytes")
    total = sum(count for count, _ in rest)
    by_stage: Counter[str] = Counter()
    for count, name in rest:
        by_stage[stage(name)] += count
    print(f"\nthe other {total:,} instructions by stage")
    for name, count in by_stage.most_common():
        print(f"{count / total:7.1%}  {name}")
    print("\nby function")
    for count, name in rest[:FUNCTIONS_SHOWN]:
        print(f"{count / total:7.1%}  {stage(name):20}  {name}")
    return 0


def functions(listing: str) -> Iterable[tuple[int, str]]:
    """Counts and names out of callgrind_annotate's lines: our library's, and the C library's."""
    for line in listing.splitlines():
        row = LINE.match(line)
        if row and ("_core" in row["object"] or "libc" in row["object"]):
            yield int(row["count"].replace(",", "")), row["name"]


def stage(name: str) -> str:
    """What a function's time is for."""
    return next((stage for stage, pattern in STAGES if re.search(pattern, name)), "other")


LINE = re.compile(r"^\s*(?P<count>[\d,]+) \(.*?\)\s+[^:]*:(?P<name>.*) \[(?P<object>[^\]]*)\]$")
FUNCTIONS_SHOWN = 30

if __name__ == "__main__":
    sys.exit(main())
