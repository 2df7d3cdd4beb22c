"""The rules of the house that no compiler checks, each a function over a tree's root.

A rule gives the list of what breaks it, one sentence a fault; an empty list is a clean tree. The
canaries at the end run every rule on a small tree with one fault planted.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # pytest imports tests by path, alone

from rust_source import Token, enclosing_items, files, tokens

ROOT = Path(__file__).resolve().parent.parent

#: Layer of each crate. A crate names crates of lower layers only, never one of its own.
LAYERS = {
    "types": 0,
    "proofs": 0,
    "ring": 1,
    "simd": 1,
    "threshold": 1,
    "risk": 2,
    "audit": 2,
    "consensus": 2,
    "models": 2,
    "mpc": 2,
    "feeds": 2,
    "gateway": 3,
    "edge": 3,
    "python": 4,
}

#: The crates that may own threads, clocks or sockets, hence lints of their own.
OWN_CLIPPY = ("gateway", "python")

#: The one crate that may name pyo3.
PYO3_CRATE = "python"

COLUMNS_MAX = 100
LINES_MAX = 500

#: Files above LINES_MAX, and why each is not cut in two.
LONG_FILES: dict[str, str] = {
    "python/cwts/_core.pyi": "one extension module has one stub, and every call of it stands there",
}

#: Folders of sources; a rule that reads text reads these.
SOURCES = ("rust", "python", "tests", "benches", "checks", "fuzz", "tools")

DOMAIN = re.compile(r"cwts/[a-z0-9][a-z0-9_/-]*/v[0-9]+")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b|\b(todo|unimplemented)!")

Rule = Callable[[Path], list[str]]


def imports_that_point_up(root: Path) -> list[str]:
    """Name dependencies on a crate of the same or a higher layer, and crates without a layer."""
    found = []
    for crate, manifest in _manifests(root):
        layer = LAYERS.get(crate)
        if layer is None:
            found.append(f"rust/{crate}: no layer in tests/test_tidy.py")
            continue
        if manifest.get("package", {}).get("name") != f"cwts-{crate}":
            found.append(f"rust/{crate}/Cargo.toml: the package is not cwts-{crate}")
        for table, name, package in _dependencies(manifest):
            other = package.removeprefix("cwts-")
            if package == other:
                continue
            above = LAYERS.get(other)
            if above is None:
                found.append(f"rust/{crate}/Cargo.toml [{table}]: {name} has no layer")
            elif above >= layer:
                found.append(
                    f"rust/{crate}/Cargo.toml [{table}]: {crate} (L{layer}) names "
                    f"{other} (L{above}); arrows only point down"
                )
    return found


def clippy_files_below_l3(root: Path) -> list[str]:
    """Name clippy.toml files that would free a crate from the root's lints."""
    return [
        f"{path}: only {' and '.join(OWN_CLIPPY)} carry lints of their own"
        for name in ("clippy.toml", ".clippy.toml")
        for path in sorted(_relative(root, (root / "rust").rglob(name)))
        if path not in {f"rust/{crate}/clippy.toml" for crate in OWN_CLIPPY}
    ]


def pyo3_outside_its_crate(root: Path) -> list[str]:
    """Name manifests and sources that know Python, but for the one crate that may."""
    found = [
        f"rust/{crate}/Cargo.toml [{table}]: {name}; only rust/{PYO3_CRATE} names pyo3"
        for crate, manifest in _manifests(root)
        for table, name, package in _dependencies(manifest)
        if crate != PYO3_CRATE and "pyo3" in package
    ]
    for path in files(root / "rust", ".rs"):
        place = path.relative_to(root).as_posix()
        if not place.startswith(f"rust/{PYO3_CRATE}/"):
            found += [
                f"{place}:{token.line}: only rust/{PYO3_CRATE} names pyo3"
                for token in _code(path, "pyo3")
                if token.text == "pyo3"
            ]
    return found


def long_lines(root: Path) -> list[str]:
    """Name lines of Rust and Python above COLUMNS_MAX columns."""
    return [
        f"{place}:{number}: {len(line)} columns, {COLUMNS_MAX} allowed"
        for place, text in _texts(root, ".rs", ".py", ".pyi")
        for number, line in enumerate(text.splitlines(), start=1)
        if len(line) > COLUMNS_MAX
    ]


def long_files(root: Path, excused: dict[str, str] | None = None) -> list[str]:
    """Name files above LINES_MAX without a reason, and reasons that nothing needs."""
    excused = LONG_FILES if excused is None else excused
    counts = {
        place: len(text.splitlines()) for place, text in _texts(root, ".rs", ".py", ".pyi", ".sh")
    }
    found = [
        f"{place}: {count} lines, {LINES_MAX} allowed without a reason in LONG_FILES"
        for place, count in counts.items()
        if count > LINES_MAX and not excused.get(place, "").strip()
    ]
    return found + [
        f"LONG_FILES: {place} has {counts.get(place, 0)} lines and needs no reason"
        for place in excused
        if counts.get(place, 0) <= LINES_MAX
    ]


def domains_not_defined_once(root: Path) -> list[str]:
    """Name domain strings that are no const, or that two consts define.

    Every hash and signature is separated by such a string: two purposes under one string could
    take each other's signatures. Test code may repeat a string, to pin it.
    """
    found = []
    places: dict[str, list[str]] = defaultdict(list)
    for path in files(root / "rust", ".rs"):
        place = path.relative_to(root).as_posix()
        if re.search(r"/(tests|benches|examples)/|/tests\.rs$", place):
            continue
        code = _code(path, "cwts/")
        items = enclosing_items(code)
        for index, token in enumerate(code):
            for domain in DOMAIN.findall(token.text) if token.kind == "string" else ():
                if "tests" in items[index]:
                    continue
                places[domain].append(f"{place}:{token.line}")
                if not _stands_in_const(code, index):
                    found.append(f"{place}:{token.line}: {domain} is not in a const of its own")
    return found + [
        f"{domain}: defined {len(where)} times: {', '.join(where)}"
        for domain, where in sorted(places.items())
        if len(where) > 1
    ]


def unfinished_work(root: Path) -> list[str]:
    """Name marks of work put off: an issue is the place for them. This file has the list."""
    return [
        f"{place}:{number}: {match.group()}"
        for place, text in _texts(root, ".rs", ".py", ".pyi", ".sh", ".toml")
        for number, line in enumerate(text.splitlines(), start=1)
        if place != "tests/test_tidy.py" and (match := UNFINISHED.search(line))
    ]


def modules_nobody_names(root: Path) -> list[str]:
    """Name Rust files that no ``mod`` makes part of a crate: they are never compiled."""
    found = []
    for path in files(root / "rust", ".rs"):
        parts = path.relative_to(root).parts
        if parts[2:3] != ("src",) or parts[3:4] == ("bin",) or path.stem in ("lib", "main"):
            continue
        name = path.parent.name if path.stem == "mod" else path.stem
        folder = path.parent.parent if path.stem == "mod" else path.parent
        parents = [folder / "lib.rs", folder / "main.rs", folder / "mod.rs"]
        parents.append(folder.with_suffix(".rs"))
        if not any(_declares(parent, name, path) for parent in parents if parent.is_file()):
            found.append(f"{path.relative_to(root).as_posix()}: no `mod {name}` names this file")
    return found


def _declares(parent: Path, name: str, path: Path) -> bool:
    code = _code(parent, name)
    declared = any(
        code[index].text == "mod" and code[index + 1].text.removeprefix("r#") == name
        for index in range(len(code) - 1)
    )
    return declared or any(t.kind == "string" and t.text == f'"{path.name}"' for t in code)


def _manifests(root: Path) -> Iterator[tuple[str, dict]]:
    for path in sorted((root / "rust").glob("*/Cargo.toml")):
        yield path.parent.name, tomllib.loads(path.read_text(encoding="utf-8"))


def _dependencies(manifest: dict) -> Iterator[tuple[str, str, str]]:
    """Give table, name and package of all dependencies, those of tests and targets too."""
    tables = {"": manifest} | {f"target.{k}.": v for k, v in manifest.get("target", {}).items()}
    for prefix, holder in tables.items():
        for table in ("dependencies", "dev-dependencies", "build-dependencies"):
            for name, entry in holder.get(table, {}).items():
                package = entry.get("package", name) if isinstance(entry, dict) else name
                yield f"{prefix}{table}", name, package


def _relative(root: Path, paths: Iterator[Path]) -> Iterator[str]:
    return (path.relative_to(root).as_posix() for path in paths)


def _texts(root: Path, *suffixes: str) -> Iterator[tuple[str, str]]:
    for folder in SOURCES:
        for path in files(root / folder, *suffixes):
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def _code(path: Path, word: str) -> list[Token]:
    """Give a file's tokens without comments; none if ``word`` is nowhere in it."""
    source = path.read_text(encoding="utf-8")
    return [t for t in tokens(source) if t.kind != "comment"] if word in source else []


def _stands_in_const(code: list[Token], index: int) -> bool:
    """Tell whether the statement around a token is a ``const`` or a ``static``."""
    while index >= 0 and code[index].text not in (";", "{", "}"):
        if code[index].text in ("const", "static"):
            return True
        index -= 1
        if code[index].text == "]":  # `[u8; 4]`: its semicolon ends no statement
            while index >= 0 and code[index].text != "[":
                index -= 1
    return False


RULES: tuple[Rule, ...] = (
    imports_that_point_up,
    clippy_files_below_l3,
    pyo3_outside_its_crate,
    long_lines,
    long_files,
    domains_not_defined_once,
    unfinished_work,
    modules_nobody_names,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_is_tidy(rule: Rule) -> None:
    """Each rule finds nothing in this repository."""
    assert rule(ROOT) == []


def test_the_rules_look_at_something() -> None:
    """A moved folder would otherwise leave every rule content."""
    crates = {crate for crate, _ in _manifests(ROOT)}
    assert {"types", "ring", "risk", "audit", "gateway", "python"} <= crates
    assert {Path(place).suffix for place, _ in _texts(ROOT, ".rs", ".py", ".sh")} == {
        ".rs",
        ".py",
        ".sh",
    }


# Canaries: a small tree with one fault a case.

CLEAN = {
    "rust/types/Cargo.toml": '[package]\nname = "cwts-types"',
    "rust/types/src/lib.rs": """
        mod hash;
        #[path = "other.rs"]
        mod named_elsewhere;
        """,
    "rust/types/src/other.rs": "",
    "rust/types/src/hash.rs": r"""
        //! `cwts/leaf/v1` in a comment is no definition, nor is pyo3 a dependency.
        pub const LEAF: &[u8; 13] = b"cwts/leaf/v1\0";
        const BOTH: [&str; 2] = ["cwts/a/v1", "cwts/b/v1"];
        mod node;
        #[cfg(test)]
        mod tests {
            fn pins() { assert_eq!(super::LEAF, b"cwts/leaf/v1\0"); }
        }
        """,
    "rust/types/src/hash/node.rs": "",
    "rust/risk/Cargo.toml": """
        [package]
        name = "cwts-risk"
        [dependencies]
        cwts-types.workspace = true
        serde = "1"
        """,
    "rust/risk/src/lib.rs": "",
    "rust/gateway/Cargo.toml": '[package]\nname = "cwts-gateway"',
    "rust/gateway/clippy.toml": "",
    "rust/python/Cargo.toml": """
        [package]
        name = "cwts-python"
        [dependencies]
        pyo3 = "0"
        """,
    "rust/python/src/lib.rs": "use pyo3::prelude::*;",
    "python/cwts/__init__.py": "x = 1\n" * LINES_MAX,
    "checks/target-loom/built.rs": "generated " * COLUMNS_MAX,
}
RISK = CLEAN["rust/risk/Cargo.toml"]


def _tree(root: Path, changes: dict[str, str]) -> Path:
    for path, text in (CLEAN | changes).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def _faults(root: Path) -> list[str]:
    return [fault for rule in RULES for fault in rule(root) if not fault.startswith("LONG_FILES")]


def test_a_clean_tree_has_no_fault(tmp_path: Path) -> None:
    """The canaries below are red for their own reason only."""
    assert _faults(_tree(tmp_path, {})) == []


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        (
            "rust/types/Cargo.toml",
            CLEAN["rust/types/Cargo.toml"] + "\n[dependencies]\ncwts-risk.workspace = true",
            "rust/types/Cargo.toml [dependencies]: types (L0) names risk (L2)",
        ),
        (
            "rust/risk/Cargo.toml",
            RISK + "\n[dev-dependencies]\ncwts-audit.workspace = true",
            "rust/risk/Cargo.toml [dev-dependencies]: risk (L2) names audit (L2)",
        ),
        (
            "rust/risk/Cargo.toml",
            RISK + '\n[target."cfg(unix)".dependencies]\ng = { package = "cwts-gateway" }',
            "[target.cfg(unix).dependencies]: risk (L2) names gateway (L3)",
        ),
        ("rust/risk/Cargo.toml", RISK + "\ncwts-x = '1'", "[dependencies]: cwts-x has no layer"),
        ("rust/risk/Cargo.toml", '[package]\nname = "risk"', "the package is not cwts-risk"),
        ("rust/extra/Cargo.toml", "[package]", "rust/extra: no layer"),
        ("rust/risk/clippy.toml", "", "rust/risk/clippy.toml: only gateway and python"),
        ("rust/risk/src/.clippy.toml", "", "rust/risk/src/.clippy.toml: only gateway"),
        ("rust/risk/Cargo.toml", RISK + "\npyo3-ffi = '0'", "[dependencies]: pyo3-ffi; only"),
        ("rust/risk/src/lib.rs", "\nuse pyo3::Python;", "rust/risk/src/lib.rs:2: only rust/python"),
        ("rust/risk/src/lib.rs", "\n//" + "-" * 99, "rust/risk/src/lib.rs:2: 101 columns"),
        ("tests/test_x.py", "#" * 101, "tests/test_x.py:1: 101 columns"),
        ("tests/test_x.py", "\n" * 501, "tests/test_x.py: 501 lines"),
        (
            "rust/risk/src/lib.rs",
            r'const AGAIN: &[u8] = b"cwts/leaf/v1\0";',
            "cwts/leaf/v1: defined 2 times: rust/risk/src/lib.rs:1, rust/types/src/hash.rs:3",
        ),
        (
            "rust/risk/src/lib.rs",
            r'const X: u8 = 0; fn f() { let n = [0; 4]; hash(b"cwts/x/v1\0") }',
            "rust/risk/src/lib.rs:1: cwts/x/v1 is not in a const",
        ),
        ("rust/risk/src/lib.rs", "\n// TODO: later", "rust/risk/src/lib.rs:2: TODO"),
        ("rust/risk/src/lib.rs", "fn f() { todo!() }", "rust/risk/src/lib.rs:1: todo!"),
        ("checks/loom.sh", "# FIXME", "checks/loom.sh:1: FIXME"),
        ("rust/risk/src/dead.rs", "", "rust/risk/src/dead.rs: no `mod dead`"),
        ("rust/types/src/hash/dead.rs", "", "rust/types/src/hash/dead.rs: no `mod dead`"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, path: str, text: str, named: str) -> None:
    """One planted fault a case; the rule that must see it says so, and no rule says more."""
    faults = _faults(_tree(tmp_path, {path: text}))
    assert [named in fault for fault in faults] == [True], faults


def test_a_long_file_needs_a_reason_and_a_reason_a_long_file(tmp_path: Path) -> None:
    """An empty reason is none, and a reason that outlived its file is named."""
    root = _tree(tmp_path, {"tests/test_x.py": "\n" * 501})
    assert long_files(root, {"tests/test_x.py": "one table, read as one"}) == []
    assert len(long_files(root, {"tests/test_x.py": " "})) == 1
    gone = {"tests/test_x.py": "one table, read as one", "tests/test_y.py": "was long"}
    assert long_files(root, gone) == ["LONG_FILES: tests/test_y.py has 0 lines and needs no reason"]
