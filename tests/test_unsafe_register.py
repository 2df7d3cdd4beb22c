"""The unsafe register against the sources: neither side can drift.

``docs/unsafe.toml`` has one row for each ``unsafe`` block, impl or function of ``rust/``. A row
names the condition that the block rests on and the checks that watch it; its digest makes a
changed block fail until somebody argues again. ``python tests/test_unsafe_register.py`` prints
every block with its digest, for whoever writes the row.

Limits: ``unsafe`` that a dependency's macro expands to is not in our sources and not seen here;
``forbid(unsafe_code)`` outside the rooms is what keeps such a macro out.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # pytest imports tests by path, alone

from rust_source import Token, closing, enclosing_items, files, tokens

ROOT = Path(__file__).resolve().parent.parent

#: The crates that may hold unsafe code, and what for. All others forbid it.
ROOMS = {
    "ring": "memory that two threads or two processes share",
    "simd": "instructions that not every processor has",
}

KINDS = (
    "raw read",
    "raw write",
    "impl Send",
    "impl Sync",
    "target_feature",
    "ffi",
    "deserialize",
)
FIELDS = (
    "id",
    "file",
    "item",
    "kind",
    "why_needed",
    "invariant",
    "safe_alternative",
    "checked_by",
    "digest",
)
SAFETY_WORDS_MIN = 12
#: Words of four letters and more that an argument shares with its row's invariant.
SHARED_WORDS_MIN = 2
LINT_PAIR = ("undocumented_unsafe_blocks", "multiple_unsafe_ops_per_block")


@dataclass(frozen=True)
class Site:
    """One ``unsafe`` block, impl, function or attribute.

    Attributes
    ----------
    file : str
        Path from the repository's root.
    line : int
        Where ``unsafe`` stands.
    item : str
        The enclosing items, ``Producer::push``; for an impl or a function, itself.
    form : str
        ``block``, or the text of an impl's header.
    argument : str
        The comment in front of it, as one line; empty if there is none.
    digest : str
        SHA-256 of its text, each run of white space being one space.
    """

    file: str
    line: int
    item: str
    form: str
    argument: str
    digest: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.item}"


def sites(root: Path) -> list[Site]:
    """Find all unsafe code of the workspace's sources, tests and benches included."""
    return [site for path in files(root / "rust", ".rs") for site in _sites_of(path, root)]


def _sites_of(path: Path, root: Path) -> list[Site]:
    source = path.read_text(encoding="utf-8")
    if "unsafe" not in source:
        return []
    everything = tokens(source)
    code = [token for token in everything if token.kind != "comment"]
    items = enclosing_items(code)
    found = []
    for index, token in enumerate(code):
        if token.kind != "word" or token.text != "unsafe":
            continue
        opening = index + 1
        if code[opening].text == "(":  # the attribute `unsafe(no_mangle)`
            end, form, names = opening, "attribute", items[index]
        elif code[opening].text == "{":
            end, form, names = closing(code, opening), "block", items[index]
        else:
            header = [token.text]
            while code[opening].text not in ("{", ";"):
                header.append(code[opening].text)
                opening += 1
            if _is_pointer_type(header):
                continue
            end = closing(code, opening) if code[opening].text == "{" else opening
            form = " ".join(header[1:])
            names = items[opening + 1] if end > opening else (*items[index], header[-1])
        text = " ".join(source[token.start : code[end].end].split())
        found.append(
            Site(
                file=path.relative_to(root).as_posix(),
                line=token.line,
                item="::".join(names),
                form=form,
                argument=_argument(everything, token),
                digest=hashlib.sha256(text.encode()).hexdigest(),
            )
        )
    return found


def _is_pointer_type(header: list[str]) -> bool:
    """Tell ``unsafe fn(..)`` and ``unsafe extern "C" fn(..)``, which are types, from items."""
    if "fn" not in header or "impl" in header[:2]:
        return False
    after = header.index("fn") + 1
    return after < len(header) and header[after] == "("


def _argument(everything: Sequence[Token], unsafe: Token) -> str:
    """Give the comment that ends nearest before ``unsafe``, within its statement."""
    lines: list[str] = []
    for token in reversed(everything[: everything.index(unsafe)]):
        if token.kind == "comment":
            lines.append(token.text.lstrip("/*! "))
        elif lines or token.text in (";", "{", "}"):
            break
    return " ".join(" ".join(reversed(lines)).split())


def rows(root: Path) -> list[dict[str, object]]:
    """Read the register."""
    text = (root / "docs/unsafe.toml").read_text(encoding="utf-8")
    return tomllib.loads(text).get("unsafe", [])


def rows_without_form(root: Path) -> list[str]:
    """Name rows that lack a field, repeat an id or use a word that is not in the list."""
    found = []
    ids = Counter(str(row.get("id")) for row in rows(root))
    for row in rows(root):
        name = row.get("id")
        found += [f"row {name}: {field} is missing" for field in FIELDS if not row.get(field)]
        found += [f"row {name}: unknown field {field}" for field in row if field not in FIELDS]
        if row.get("kind") not in KINDS:
            found.append(f"row {name}: kind {row.get('kind')!r} is not one of {', '.join(KINDS)}")
    return found + [
        f"row {name}: {count} rows have this id" for name, count in ids.items() if count > 1
    ]


def blocks_and_rows_apart(root: Path) -> list[str]:
    """Name blocks without a row, rows without a block, and blocks that changed."""
    found = []
    unmatched = rows(root)
    strangers = []
    for site in sites(root):
        key = (site.file, site.item, site.digest)
        row = next((r for r in unmatched if _row_key(r) == key), None)
        if row is None:
            strangers.append(site)
        else:
            unmatched.remove(row)
    for site in strangers:
        row = next((r for r in unmatched if _row_key(r)[:2] == (site.file, site.item)), None)
        if row is None:
            found.append(f"{site}: no row in docs/unsafe.toml")
        else:
            unmatched.remove(row)
            found.append(f"{site}: changed since row {row['id']} was argued, now {site.digest}")
    return found + [f"row {row['id']}: no such block in {row['file']}" for row in unmatched]


def _row_key(row: dict[str, object]) -> tuple[object, object, object]:
    return row["file"], row["item"], row["digest"]


def arguments_too_thin(root: Path) -> list[str]:
    """Name blocks without a SAFETY comment that argues from its row's invariant."""
    found = []
    invariants = {_row_key(row): str(row["invariant"]) for row in rows(root)}
    for site in sites(root):
        _, marker, argument = site.argument.partition("SAFETY:")
        count = len(argument.split())
        if not marker:
            found.append(f"{site}: no SAFETY comment")
        elif count < SAFETY_WORDS_MIN:
            found.append(f"{site}: a SAFETY comment of {count} words asserts, it does not argue")
        invariant = invariants.get((site.file, site.item, site.digest))
        if marker and invariant is not None:
            shared = _terms(argument) & _terms(invariant)
            if len(shared) < SHARED_WORDS_MIN:
                found.append(f"{site}: the SAFETY comment names no condition of {invariant!r}")
    return found


def _terms(text: str) -> set[str]:
    return set(re.findall(r"\w{4,}", text.lower()))


def kinds_that_differ(root: Path) -> list[str]:
    """Name rows whose kind says Send or Sync while the source says otherwise."""
    kinds = {_row_key(row): str(row["kind"]) for row in rows(root)}
    found = []
    for site in sites(root):
        kind = kinds.get((site.file, site.item, site.digest))
        says = re.search(r"impl .*\b(Send|Sync) for ", site.form)
        wanted = f"impl {says.group(1)}" if says else None
        if kind is not None and (kind if kind.startswith("impl") else None) != wanted:
            found.append(f"{site}: its row's kind is {kind!r}, the source has {site.form!r}")
    return found


def checks_that_do_not_run(root: Path) -> list[str]:
    """Name what a row says watches its block, but what ``checks/all.sh`` does not run."""
    found = []
    stages = _read(root / "checks/all.sh")
    canaries = _read(root / "checks/canaries.sh")
    sources = "".join(_read(path) for path in files(root / "rust", ".rs"))
    for row in rows(root):
        for check in row["checked_by"]:
            kind, _, name = str(check).partition(":" if ":" in str(check) else "/")
            if kind == "checks":
                runs = (root / f"checks/{name}.sh").is_file() and re.search(
                    rf":-[^}}]*\b{re.escape(name)}\b", stages
                )
            elif kind == "planted":
                runs = f"PLANTED={name}" in canaries and f'planted = "{name}"' in sources
            else:
                runs = None
            if not runs:
                found.append(f"row {row['id']}: {check} does not run")
    return found


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def rooms_left_open(root: Path) -> list[str]:
    """Name crates that do not forbid unsafe code, and rooms that do not deny it by default."""
    found = []
    for crate in sorted((root / "rust").iterdir()):
        if not (crate / "Cargo.toml").is_file():
            continue
        level = "deny" if crate.name in ROOMS else "forbid"
        found += [
            f"rust/{crate.name}/{top}: no #![{level}(unsafe_code)]"
            for top in ("src/lib.rs", "src/main.rs")
            if (crate / top).is_file() and not _says(crate / top, f"#![{level}(unsafe_code)]")
        ]
        manifest = tomllib.loads(_read(crate / "Cargo.toml"))
        if manifest.get("lints", {}).get("workspace") is not True:
            found.append(f"rust/{crate.name}/Cargo.toml: [lints] workspace = true is missing")
    lints = tomllib.loads(_read(root / "Cargo.toml")).get("workspace", {}).get("lints", {})
    return found + [
        f"Cargo.toml: clippy::{lint} is not denied"
        for lint in LINT_PAIR
        if lints.get("clippy", {}).get(lint) != "deny"
    ]


def _says(path: Path, attribute: str) -> bool:
    """Look for an attribute in the code, not in a comment or a string."""
    code = [t.text for t in tokens(_read(path)) if t.kind in ("word", "mark")]
    return "".join(code).find(attribute) >= 0


def unsafe_outside_rooms(root: Path) -> list[str]:
    """Name unsafe code outside the rooms, and files of a room that did not opt in."""
    found = []
    for site in sites(root):
        room = site.file.split("/")[1]
        if room not in ROOMS:
            found.append(f"{site}: unsafe code outside the rooms {', '.join(ROOMS)}")
        elif not _says(root / site.file, "#![expect(unsafe_code,reason="):
            found.append(f"{site}: the file has no #![expect(unsafe_code, reason = ..)]")
    return sorted(set(found))


CHECKS: tuple[Callable[[Path], list[str]], ...] = (
    rows_without_form,
    blocks_and_rows_apart,
    arguments_too_thin,
    kinds_that_differ,
    checks_that_do_not_run,
    rooms_left_open,
    unsafe_outside_rooms,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_repository_keeps_its_register(check: Callable[[Path], list[str]]) -> None:
    """Each check finds nothing in this repository."""
    assert check(ROOT) == []


def test_the_register_is_not_empty() -> None:
    """The checks above looked at something: every room has a block."""
    assert {site.file.split("/")[1] for site in sites(ROOT)} == set(ROOMS)


# Canaries: the checks are checked on a small tree in which one thing is wrong.

GOOD = """\
//! Has the word unsafe in a comment, and "unsafe { in a string".
#![deny(unsafe_code)]
#![expect(unsafe_code, reason = "a canary's room")]
const TEXT: &str = "unsafe { }";
const MARK: char = '{';
type Pointer = unsafe fn(u8) -> u8;
impl<'a, T: Copy> Cell<'a, T> {
    fn take(&self, _limits: [u8; 4]) -> T {
        // SAFETY: `head < tail`, so by the invariant the slot holds a record that the producer
        // initialised before it published the tail.
        unsafe { self.slot.read() }
    }
}
// SAFETY: a slot has one owner between head and tail, so no two threads touch a slot at once,
// and a record crosses by value.
unsafe impl<T: Send> Sync for Cell<'_, T> {}
"""

LINTS = "[workspace.lints.clippy]\n" + "".join(f'{lint} = "deny"\n' for lint in LINT_PAIR)


#: A file's path, a text in it (empty: all of it), and what to write instead.
Change = tuple[str, str, str]


def _plant(root: Path, *changes: Change) -> Path:
    """Write a tree that passes every check, but for ``changes``."""
    texts = {
        "Cargo.toml": LINTS,
        "checks/all.sh": "for stage in ${*:-loom canaries}; do :; done",
        "checks/loom.sh": "",
        "checks/canaries.sh": "PLANTED=relaxed",
        "rust/ring/Cargo.toml": "[lints]\nworkspace = true",
        "rust/ring/src/lib.rs": GOOD + 'const P: bool = cfg!(planted = "relaxed");',
        "rust/risk/Cargo.toml": "[lints]\nworkspace = true",
        "rust/risk/src/lib.rs": "#![forbid(unsafe_code)]",
    }
    _write(root, texts)
    register = ""
    for number, site in enumerate(sites(root)):
        kind = "raw read" if site.form == "block" else "impl Sync"
        register += f"""
            [[unsafe]]
            id = "row-{number}"
            file = "{site.file}"
            item = "{site.item}"
            kind = "{kind}"
            why_needed = "a canary"
            invariant = "head <= tail; the slots between hold records; one owner"
            safe_alternative = "none"
            checked_by = ["checks/loom", "planted:relaxed"]
            digest = "{site.digest}"
            """
    _write(root, {"docs/unsafe.toml": register})
    for path, old, new in changes:
        text = _read(root / path)
        assert old in text, f"{path} has no {old!r} to change"
        _write(root, {path: text.replace(old, new) if old else new})
    return root


def _write(root: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def _problems(root: Path) -> str:
    return "\n".join(problem for check in CHECKS for problem in check(root))


def test_a_good_tree_has_no_problem(tmp_path: Path) -> None:
    """The canaries below are red for their own reason only."""
    root = _plant(tmp_path)
    assert _problems(root) == ""
    assert [site.item for site in sites(root)] == ["Cell::take", "Cell"]


LIB, REGISTER = "rust/ring/src/lib.rs", "docs/unsafe.toml"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ([(LIB, "slot.read()", "slot.read_volatile()")], "Cell::take: changed since row row-0"),
        ([(REGISTER, "Cell::take", "Cell::pop")], "Cell::take: no row in docs/unsafe.toml"),
        ([(REGISTER, "Cell::take", "Cell::pop")], "row row-0: no such block in rust/ring"),
        ([(REGISTER, "row-1", "row-0")], "row row-0: 2 rows have this id"),
        ([(REGISTER, "raw read", "magic")], "kind 'magic' is not one of"),
        ([(REGISTER, "raw read", "impl Send")], "row's kind is 'impl Send', the source has"),
        ([(REGISTER, '"a canary"', '""')], "row row-0: why_needed is missing"),
        ([(LIB, "// SAFETY: `head", "// `head")], "Cell::take: no SAFETY comment"),
        (
            [
                (LIB, "initialised before it published the tail", ""),
                (LIB, "holds a record that the producer", ""),
            ],
            "10 words asserts",
        ),
        (
            [(REGISTER, "head <= tail; the slots between hold records; one owner", "none needed")],
            "names no condition of 'none needed'",
        ),
        (
            [("checks/all.sh", "", "loom in a comment: ${*:-tsan}")],
            "row row-0: checks/loom does not",
        ),
        ([("checks/canaries.sh", "", "")], "row row-0: planted:relaxed does not run"),
        (
            [("rust/risk/src/lib.rs", "", "// #![forbid(unsafe_code)]")],
            "rust/risk/src/lib.rs: no #![forbid(unsafe_code)]",
        ),
        (
            [("rust/risk/src/step.rs", "", "fn step() { /* safe? */ unsafe { go() } }")],
            "rust/risk/src/step.rs:1 step: unsafe code outside the rooms",
        ),
        (
            [("rust/risk/tests/law.rs", "", 'unsafe extern "C" { fn c(); }')],
            "rust/risk/tests/law.rs:1 : unsafe code outside the rooms",
        ),
        ([(LIB, "#![expect", "//")], "has no #![expect(unsafe_code"),
        ([(LIB, "#![deny(unsafe_code)]", "")], "rust/ring/src/lib.rs: no #![deny(unsafe_code)]"),
        ([("rust/risk/Cargo.toml", "", "")], "rust/risk/Cargo.toml: [lints] workspace = true"),
        ([("Cargo.toml", "", "")], "clippy::undocumented_unsafe_blocks is not denied"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: list[Change], named: str) -> None:
    """One planted fault a case; the check that must see it says so."""
    assert named in _problems(_plant(tmp_path, *changes))


if __name__ == "__main__":
    for each in sites(ROOT):
        sys.stdout.write(f"{each}  [{each.form}]\n    {each.digest}\n")
