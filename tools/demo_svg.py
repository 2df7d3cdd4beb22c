"""Draw the terminal of a real `cwts demo --quick` as docs/demo.svg.

Usage: ``python tools/demo_svg.py`` runs the demo and writes the picture;
``python tools/demo_svg.py --check`` runs it and compares what is drawn, numbers aside.

The demo runs on a terminal of its own (a pseudo-terminal), so that it prints what a person sees.
Rich turns that into SVG; the fonts that rich would fetch are left out, because a page that shows
the picture must not call anybody.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURE: Final = ROOT / "docs" / "demo.svg"
TITLE: Final = "cwts demo --quick"
#: What stands in front of the demo's own output.
PROMPT: Final = f"$ {TITLE}"

_COLUMNS: Final = 100
_LINES: Final = 40
#: A demo that takes longer has hung.
_SECONDS_MAX: Final = 120
#: Bytes of output that are read; the demo prints about two thousand.
_OUTPUT_BYTES_MAX: Final = 1 << 20
_FONT_FACE: Final = re.compile(r"@font-face\s*{[^}]*}\s*")
_COMMENT: Final = re.compile(r"<!--.*?-->")
_ORIGIN: Final = f"<!-- A run of `{TITLE.partition(' --')[0]}`, by tools/demo_svg.py with rich. -->"
_SVG: Final = "{http://www.w3.org/2000/svg}"


def run_demo(command: list[str]) -> str:
    """Run a demo on a terminal of its own, in an empty directory, and give what it printed."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    with tempfile.TemporaryDirectory(prefix="cwts-demo-svg-") as directory:
        keys = Path(directory) / "keys"
        environment = os.environ | {"TERM": "xterm-256color", "CWTS_KEYS": str(keys)}
        # Progress goes to stderr, which is no terminal here: only lines that stay are drawn.
        with subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=follower,
            stderr=subprocess.PIPE,
        ) as process:
            os.close(follower)
            output = _read(leader)
            _, errors = process.communicate(timeout=_SECONDS_MAX)
    os.close(leader)
    if process.returncode != 0:
        said = errors.decode("utf-8", "replace").strip()
        raise RuntimeError(f"{TITLE}: exit code {process.returncode}: {said}")
    return output.decode("utf-8").replace("\r\n", "\n")


def render(output: str) -> str:
    """Turn a terminal's output into SVG."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(PROMPT, style="bold"))
    console.print(Text.from_ansi(output.rstrip("\n")))
    console.print()  # rich cuts the descenders of a last line
    svg = console.export_svg(title=TITLE, theme=MONOKAI, unique_id="cwts-demo")
    svg = _COMMENT.sub(_ORIGIN, _FONT_FACE.sub("", svg))
    svg = svg.replace("Fira Code", "ui-monospace, Menlo, Consolas")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def lines_of(svg: str) -> list[str]:
    """Give the lines that a picture shows, top to bottom."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for text in ET.fromstring(svg).iter(f"{_SVG}text"):  # noqa: S314 - our own file
        if "clip-path" not in text.attrib:
            continue  # the window's title
        row = rows.setdefault(float(text.attrib["y"]), [])
        row.append((float(text.attrib["x"]), (text.text or "").replace("\xa0", " ")))
    lines = ["".join(part for _, part in sorted(rows[y])).rstrip() for y in sorted(rows)]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def structure(svg: str) -> list[str]:
    """Give a picture's lines without what differs from run to run.

    Digests, keys, counts and times go; the words stay. Refusals by control are sorted, because
    their order is that of their counts.
    """
    found = []
    for line in lines_of(svg):
        words = re.sub(r"\b[0-9a-f]{8,}\b", "#", line)
        words = re.sub(r"\+[0-9a-f]{8}\b", "+#", words)
        words = re.sub(r"\d[\d,]*(\.\d+)?(e[+-]?\d+)?", "0", words)
        words = re.sub(r"\b0 (ns|us|ms|s)\b", "0 s", words)
        found.append(re.sub(r" +", " ", words).strip())
    return [line for line in found if line]


def _read(terminal: int) -> bytes:
    parts = []
    size_bytes = 0
    while size_bytes < _OUTPUT_BYTES_MAX:
        try:
            part = os.read(terminal, 65_536)
        except OSError:
            break  # Linux says EIO once the other end is closed
        if not part:
            break
        parts.append(part)
        size_bytes += len(part)
    return b"".join(parts)


def main(arguments: list[str]) -> int:
    """Draw the picture, or compare it with a new run."""
    if arguments not in ([], ["--check"]):
        print(__doc__)
        return 2
    command = [str(Path(sys.executable).with_name("cwts")), "demo", "--quick"]
    svg = render(run_demo(command))
    if not arguments:
        PICTURE.write_text(svg, encoding="utf-8")
        print(f"{PICTURE.relative_to(ROOT)}: {len(svg):,} bytes, {len(lines_of(svg))} lines")
        return 0
    shown, drawn = structure(PICTURE.read_text(encoding="utf-8")), structure(svg)
    if shown == drawn:
        return 0
    print("docs/demo.svg shows another demo than this one; run tools/demo_svg.py")
    for old, new in zip(shown, drawn, strict=False):
        if old != new:
            print(f"  drawn: {old}\n  now:   {new}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
