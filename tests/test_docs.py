"""What the documents say, against what there is.

``python tests/test_docs.py controls`` prints README's table of controls, ``figures [RUN]`` that of
the figures: RUN is the output of ``cwts bench --peers --json``; without one nothing is measured.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCUMENTS = tuple(sorted(path for folder in (ROOT, ROOT / "docs") for path in folder.glob("*.md")))

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
#: Paths in backquotes that name a file of this repository.
PLACE = re.compile(r"`((?:rust|python|tests|tools|checks|benches|docs)/[\w./-]+)`")
PLACEHOLDERS = re.compile(r"/(tmp|path|absolute)/?$")


def core() -> ModuleType:
    """Give the extension, or skip the test if there is none to import."""
    return pytest.importorskip("cwts._core", exc_type=ImportError)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def between(text: str, name: str) -> str:
    """Give what stands between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``."""
    _, _, rest = text.partition(f"<!-- {name}:begin -->\n")
    inner, end, _ = rest.partition(f"<!-- {name}:end -->")
    assert end, f"no part {name}"
    return inner


def anchors(text: str) -> set[str]:
    """Give the anchors that a document's headings make, as code forges derive them."""
    headings = HEADING.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def faults(path: Path, text: str, root: Path) -> Iterator[str]:
    """Name the links and the places of a document that lead nowhere."""
    for target in LINK.findall(CODE.sub("", text)):
        place, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        linked = (path.parent / place).resolve() if place else path
        if not linked.exists():
            yield f"{path.name}: {target} is not there"
        elif not linked.is_relative_to(root):
            yield f"{path.name}: {target} leaves the repository"
        elif anchor and linked.suffix == ".md" and anchor not in anchors(text_of(linked)):
            yield f"{path.name}: {target}: no such heading"
    for place in PLACE.findall(text):
        if not (root / place).exists():
            yield f"{path.name}: `{place}` is not there"


def test_every_link_leads_somewhere() -> None:
    """Links, anchors, and paths in backquotes, in all documents."""
    assert {"README.md", "ARCHITECTURE.md"} <= {path.name for path in DOCUMENTS}
    assert [fault for path in DOCUMENTS for fault in faults(path, text_of(path), ROOT)] == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[a](there.md)", None),
        ("[a](there.md#a-heading-there)", None),
        ("`[a](gone.md)` is code", None),
        ("[a](https://example.org/gone.md)", None),
        ("[a](gone.md)", "gone.md is not there"),
        ("![a](gone.svg)", "gone.svg is not there"),
        ("[a](there.md#gone)", "there.md#gone: no such heading"),
        ("[a](#gone)", "#gone: no such heading"),
        ("[a](../outside.md)", "../outside.md leaves the repository"),
        ("see `rust/gone.rs`", "`rust/gone.rs` is not there"),
    ],
)
def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, text: str, named: str | None) -> None:
    """The canaries of the test above."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "there.md").write_text("# A `heading`, there!\n", encoding="utf-8")
    (tmp_path / "outside.md").write_text("", encoding="utf-8")
    document = root / "document.md"
    document.write_text(text, encoding="utf-8")
    found = list(faults(document, text, root))
    assert found == ([] if named is None else [f"document.md: {named}"])


# The README's example, as a person would run it.


def example() -> tuple[str, str]:
    """Give the ten lines and what they print."""
    part = between(text_of(README), "example")
    code, printed = (
        re.findall(rf"```{kind}\n(.*?)```", part, re.DOTALL) for kind in ("python", "text")
    )
    assert (len(code), len(printed)) == (1, 1)
    return code[0], printed[0]


def test_the_example_has_ten_lines() -> None:
    """As README says, blank lines and the import aside or not."""
    code, _ = example()
    assert len([line for line in code.splitlines() if line.strip()]) == 10


def test_the_example_runs_as_printed_and_its_order_is_accepted(tmp_path: Path) -> None:
    """``cwts init desk && cd desk``, then the ten lines, then the two commands named below."""
    extension = core()
    environment = os.environ | {
        "CWTS_KEYS": str(tmp_path / "keys"),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONWARNINGS": "error",
    }

    def run(*command: str, cwd: Path) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            check=False,
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    cli = ("-c", "from cwts.cli import main; main()")
    assert "cwts init desk && cd desk" in text_of(README)
    run(*cli, "init", "desk", cwd=tmp_path)
    desk = tmp_path / "desk"
    code, printed = example()
    (desk / "ten_lines.py").write_text(code, encoding="utf-8")
    assert run("ten_lines.py", cwd=desk) == printed

    story = extension.explain(str(desk / "log"), 1)["stories"][0]
    assert story["decision"]["verdict"] == "accepted"
    assert "accepted" in run(*cli, "explain", "log", "1", cwd=desk)
    assert "OK" in run(*cli, "log", "verify", "log", cwd=desk)


# What else the documents show.


def blocks(path: Path, kind: str) -> list[str]:
    """Give the code blocks of a kind in a document."""
    return re.findall(rf"```{kind}\n(.*?)```", text_of(path), re.DOTALL)


def commands(path: Path) -> Iterator[str]:
    """Give every ``cwts`` command line of a document, in blocks and in backquotes."""
    inline = re.findall(r"`(cwts [^`\n]+)`", text_of(path))
    for line in [line for block in blocks(path, "sh") for line in block.splitlines()] + inline:
        for part in re.split(r"&&|[|;>#]", line):
            if part.strip().startswith("cwts "):
                yield part.strip()


def command_faults(line: str) -> list[str]:
    """Name the commands and options of a command line that the program does not have."""
    import click

    from cwts.cli.app import app

    command: click.Command = app
    context = click.Context(app)
    _, *words = shlex.split(line)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words.pop(0))
        if found is None:
            return [f"{line}: no such command"]
        command = found
    known = {name for option in command.params for name in option.opts} | {"--help", "--version"}
    return [f"{line}: no {word}" for word in words if word.startswith("-") and word not in known]


def test_every_command_that_is_shown_is_there() -> None:
    """With the options that are shown."""
    core()
    shown = [line for path in DOCUMENTS for line in commands(path)]
    assert len(shown) > 20
    assert [fault for line in shown for fault in command_faults(line)] == []
    assert command_faults("cwts halt DIR --flatten") != []
    assert command_faults("cwts attest FILE") != []


def test_the_limits_that_are_shown_are_right() -> None:
    """They check, and each key of theirs is told of below them."""
    extension = core()
    path = ROOT / "docs" / "limits.md"
    (shown,) = blocks(path, "toml")
    extension.check_limits(shown.encode(), str(path))
    keys = set(re.findall(r"(\w+) = ", re.sub(r"^\w+ = {", "{", shown, flags=re.MULTILINE)))
    below = text_of(path).partition(shown)[2]
    assert {key for key in keys if f"`{key}" not in below} <= {"EUR", "max", "window", *POSITION}


POSITION = ("long", "short")


def test_the_flow_that_is_shown_replays(tmp_path: Path) -> None:
    """Each row is read as the document says."""
    core()
    import cwts

    (shown,) = blocks(ROOT / "docs" / "files.md", "csv")
    flow = tmp_path / "flow.csv"
    flow.write_text(shown, encoding="utf-8")
    run = cwts.replay(flow).json
    assert (run["orders"], run["accepted"], run["inputs"][0]["records"]) == (1, 1, 4)
    assert (run["passed"], run["warnings"]) == ({"cancel": 1, "fill": 1}, [])


def test_the_kill_switch_works_as_it_is_shown(tmp_path: Path) -> None:
    """The four commands of README, on a gateway that runs; then a halt of one that does not."""
    core()
    import cwts

    part = text_of(README).partition("## The kill switch")[2]
    block = re.findall(r"```sh\n(.*?)```", part, re.DOTALL)[0]
    lines = [line.partition("#")[0] for line in block.splitlines()]
    environment = os.environ | {
        "CWTS_KEYS": str(tmp_path / "keys"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def run(line: str) -> str:
        _, *words = shlex.split(line)
        command = [sys.executable, "-c", "from cwts.cli import main; main()", *words]
        done = subprocess.run(
            command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    run("cwts init .")
    order = cwts.Order("AAPL", "buy", qty=1, price="585.33")
    with cwts.Gateway(
        tmp_path / "limits.toml", log=tmp_path / "log", keys=tmp_path / "keys"
    ) as gateway:
        gateway.set_reference("AAPL", last="585.30")
        said = [run(line) for line in lines]
        assert len(said) == 4
        assert "account:default" in said[2]
        assert [(hold.scope, hold.state) for hold in gateway.holds()] == [("firm", "REDUCE_ONLY")]
        assert gateway.submit(order).first == "KILL_REDUCE_ONLY"

    assert "the next start is halted" in run("cwts halt log")
    assert "waiting to be taken in: halt firm" in run("cwts status log")
    assert "OK" in run("cwts log verify log")


# Tables that are generated.


def controls_table(rows: list[dict[str, Any]]) -> str:
    """Give README's table of the controls."""
    head = "| control | refuses an order when | supports | FIX¹ | reducing² |"
    lines = [head, "|---|---|---|---|---|"]
    for row in rows:
        text = row["text"].rstrip(".")
        passes = "pass" if row["reducing_exempt"] else ""
        rule = {"own": "-"}.get(row["citation"], row["citation"])
        name, code = row["name"], row["fix103"]
        lines.append(f"| `{name}` | {text} | {rule} | {code} | {passes} |".replace("  ", " "))
    return "\n".join(lines) + "\n"


def figures_table(goals: list[dict[str, Any]], measured: dict[str, dict[str, Any]]) -> str:
    """Give README's table of figures; a dash is what nobody has measured."""
    lines = ["| benchmark | unit | CWTS | peer | ratio | goal |", "|---|---|---|---|---|---|"]
    for goal in goals:
        row = measured.get(goal["name"], {})
        unit = row.get("unit", goal["unit"])
        ours, theirs = _figure(row.get("ours")), _figure(row.get("peer_value"))
        if "peer" in goal:
            peer = f"{goal['peer']} {theirs}"
            # Far from its goal a ratio still is none of zero.
            found = row.get("ratio")
            ratio = "-" if found is None else f"{found:.{1 if found >= 0.1 else 3}f}x"
            bound = f">= {goal['goal']:g}x"
        else:
            peer, ratio, bound = "none", "", f"<= {goal['goal']:g}"
        lines.append(f"| `{goal['name']}` | {unit} | {ours} | {peer} | {ratio} | {bound} |")
    return re.sub(r" +\|", " |", "\n".join(lines)) + "\n"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def goals() -> list[dict[str, Any]]:
    found = tomllib.loads(text_of(ROOT / "benches" / "goals.toml"))["goal"]
    assert isinstance(found, list)
    return found


def test_the_table_of_controls_is_the_cores() -> None:
    """Not one row more, and not one less."""
    rows = core().controls()
    assert between(text_of(README), "controls") == controls_table(rows)
    assert f"All {len(rows)} pre-trade controls" in text_of(ROOT / "CHANGELOG.md")


def test_the_table_of_controls_is_the_sources() -> None:
    """The same without the extension: from the macro's rows."""
    source = text_of(ROOT / "rust" / "types" / "src" / "control.rs")
    row = re.compile(
        r'^ {4}(\d+) \w+ "(\w+)" (\d+) \w+ (true|false)\s+"([^"]*)"\s+"([^"]*)"',
        re.MULTILINE,
    )
    names = ("name", "fix103", "reducing_exempt", "citation", "text")
    rows = []
    for bit, (place, *cells) in enumerate(row.findall(source)):
        assert int(place) == bit
        values = dict(zip(names, cells, strict=True))
        rows.append(values | {"reducing_exempt": values["reducing_exempt"] == "true"})
    assert len(rows) == len(re.findall(r"^ {4}\d+ [A-Z]\w+ \"", source, re.MULTILINE)) > 50
    assert between(text_of(README), "controls") == controls_table(rows)


def test_the_table_of_figures_has_the_goals() -> None:
    """Figures change from run to run; which there are, and what they must reach, does not."""
    table = between(text_of(README), "figures").splitlines()
    wanted = figures_table(goals(), {}).splitlines()

    def fixed(line: str) -> tuple[str, str, str]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 6, line
        return cells[0], cells[3].split(" ")[0], cells[5]

    assert [fixed(line) for line in table] == [fixed(line) for line in wanted]


# The picture.


def drawing() -> ModuleType:
    pytest.importorskip("rich")
    spec = importlib.util.spec_from_file_location("demo_svg", ROOT / "tools" / "demo_svg.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_the_tools_and_calls_nobody() -> None:
    """Drawing the picture's own lines again gives the same lines, and there is no other address."""
    tool = drawing()
    svg = text_of(tool.PICTURE)
    lines = tool.lines_of(svg)
    assert lines[0] == tool.PROMPT
    assert tool.lines_of(tool.render("\n".join(lines[1:]) + "\n")) == lines
    assert [line[0] for line in lines if re.match(r"\d \w", line)] == list("12345678")
    addresses = set(re.findall(r"\w+://[^\"'\s<)]+", svg))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(script|image|foreignObject|a)\b|@import|@font-face", svg)


def test_the_structure_of_a_picture_is_its_words() -> None:
    """The comparison is blind to numbers, and to nothing else."""
    tool = drawing()

    def of(text: str) -> list[str]:
        found: list[str] = tool.structure(tool.render(text))
        return found[1:]

    told = "1 generate   100,000 events, root 9f3c9f3c9f3c..., p50 87 ns, 0.41 s\n"
    again = "1 generate   99,000 events, root 00aa11bb22cc..., p50 1.2 us, 12.3 s\n"
    assert of(told) == of(again) == ["0 generate 0 events, root #..., p0 0 s, 0 s"]
    assert of(told.replace("events", "orders")) != of(told)
    assert of(told + told) != of(told)
    assert of("\x1b[32mOK\x1b[0m here\n") == ["OK here"]


def test_the_picture_shows_this_releases_demo() -> None:
    """One run of the demo, drawn, has the words of the picture that README shows."""
    core()
    tool = drawing()
    command = [sys.executable, "-c", "from cwts.cli import main; main()", "demo", "--quick"]
    svg = tool.render(tool.run_demo(command))
    assert tool.structure(svg) == tool.structure(text_of(tool.PICTURE))


# What must not stand in a document.


def test_no_document_names_a_machine() -> None:
    """No host, no home, no scratch directory: a reader has none of them."""
    private = re.compile(
        r"(?<![\w.~])/(?:home|root|Users|work|tmp|mnt|var/tmp)/\w|\b(?:ip-\d+-\d+|localhost)\b"
    )
    host = socket.gethostname()
    if not re.search(r"[\d-]", host):
        host = "no name that could not be a word"
    files = (*DOCUMENTS, ROOT / "docs" / "demo.svg")
    found = [
        f"{path.name}:{number}: {match.group()}"
        for path in files
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        for match in [private.search(line), re.search(rf"\b{re.escape(host)}\b", line)]
        if match
    ]
    assert found == []


def test_no_document_claims_what_nobody_gave() -> None:
    """CWTS supports rules; nobody certified it, and no log is immutable."""
    claim = re.compile(r"certif(?:ied|ication)|immutable|tamper.?proof|\bworm\b", re.IGNORECASE)
    denied = re.compile(r"\b(?:not|no|never|nobody|neither|nor|without)\b", re.IGNORECASE)
    found = [
        f"{path.name}: {sentence.strip()}"
        for path in DOCUMENTS
        for sentence in re.split(r"(?<=[.:;])\s|\n\n|\|", CODE.sub("", text_of(path)))
        if claim.search(sentence) and not denied.search(sentence)
    ]
    assert found == []


if __name__ == "__main__":
    if sys.argv[1:] == ["controls"]:
        from cwts import _core

        sys.stdout.write(controls_table(_core.controls()))
    elif sys.argv[1:2] == ["figures"]:
        runs = [
            json.loads(line) for name in sys.argv[2:] for line in text_of(Path(name)).splitlines()
        ]
        sys.stdout.write(figures_table(goals(), {row["name"]: row for row in runs}))
    else:
        sys.exit(__doc__)
