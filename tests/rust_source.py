"""Rust sources as tokens: just enough for the tidy tests to tell code from comments and strings.

Not a parser: it knows comments (nested ones too), string, byte, raw and character literals,
lifetimes, words and single punctuation marks, and which ``impl``, ``fn``, ``mod`` or ``trait``
encloses a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: Folders that hold nothing that anyone wrote.
GENERATED = re.compile(r"target.*|\..*|__pycache__|dist|node_modules|cwts-demo")

_TOKEN = re.compile(
    r"""
    (?P<comment>//[^\n]*)
    | (?P<string>(?:br|cr|r)(?P<hashes>\#*)".*?"(?P=hashes) | [bc]?"(?:\\.|[^"\\])*")
    | (?P<char>b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\\'\n])')
    | (?P<lifetime>'[A-Za-z_]\w*)
    | (?P<word>(?:r\#)?\w+)
    | (?P<mark>\S)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Token:
    """One token of a source.

    Attributes
    ----------
    kind : str
        ``comment``, ``string``, ``char``, ``lifetime``, ``word`` or ``mark``.
    text : str
        As it stands in the source.
    start, end : int
        Its place in the source, in characters.
    line : int
        The line on which it begins, counted from 1.
    """

    kind: str
    text: str
    start: int
    end: int
    line: int


def files(root: Path, *suffixes: str) -> Iterator[Path]:
    """Give all files below ``root`` with one of ``suffixes`` that people wrote, in order."""
    if not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.is_symlink() and not GENERATED.fullmatch(path.name):
            yield from files(path, *suffixes)
        elif path.is_file() and path.suffix in suffixes:
            yield path


@cache
def tokens(source: str) -> tuple[Token, ...]:
    """Cut a Rust source into tokens, comments included."""
    found = []
    at, line = 0, 1
    while match := _next_token(source, at):
        kind, start, end = match
        line += source.count("\n", at, start)
        found.append(Token(kind, source[start:end], start, end, line))
        line += source.count("\n", start, end)
        at = end
    return tuple(found)


def _next_token(source: str, at: int) -> tuple[str, int, int] | None:
    while at < len(source) and source[at].isspace():
        at += 1
    if at == len(source):
        return None
    if not source.startswith("/*", at):
        match = _TOKEN.match(source, at)
        assert match, f"no token at {source[at : at + 20]!r}"
        kind = match.lastgroup if match.lastgroup != "hashes" else "string"
        return str(kind), at, match.end()
    depth, end = 0, at
    while depth or end == at:
        edge = _BLOCK_COMMENT_EDGE.search(source, end)
        if edge is None:
            return "comment", at, len(source)
        depth += 1 if edge.group() == "/*" else -1
        end = edge.end()
    return "comment", at, end


def closing(code: Sequence[Token], opening: int) -> int:
    """Give the index of the mark that closes the brace at index ``opening``."""
    depth = 0
    for index in range(opening, len(code)):
        if code[index].kind == "mark":
            depth += {"{": 1, "}": -1}.get(code[index].text, 0)
            if depth == 0:
                return index
    raise ValueError(f"line {code[opening].line}: a brace that nothing closes")


def enclosing_items(code: Sequence[Token]) -> list[tuple[str, ...]]:
    """Name, for each token, the items around it, outermost first.

    Parameters
    ----------
    code : sequence of Token
        Without comments.

    Returns
    -------
    list of tuple of str
        ``("Producer", "push")`` for what stands in the body of ``fn push`` of ``impl Producer``;
        an item's own header belongs to what encloses it.
    """
    names: list[tuple[str, ...]] = []
    scopes: list[str | None] = []
    pending: str | None = None
    nested = 0
    for index, token in enumerate(code):
        names.append(tuple(name for name in scopes if name))
        text = token.text if token.kind in ("word", "mark") else ""
        before = code[index - 1].text if index else "}"
        if pending is None and text == "impl" and before in ("}", "{", ";", "]", "unsafe"):
            pending, nested = _implementer(code, index), 0
        elif pending is None and text in ("fn", "mod", "trait") and index + 1 < len(code):
            # `fn(` is the type of a pointer, not an item.
            if code[index + 1].kind == "word":
                pending, nested = code[index + 1].text, 0
        elif text in ("(", "["):
            nested += 1
        elif text in (")", "]"):
            nested -= 1
        elif text == ";" and nested <= 0:
            pending = None
        elif text == "{":
            scopes.append(pending)
            pending = None
        elif text == "}" and scopes:
            scopes.pop()
    return names


def _implementer(code: Sequence[Token], index: int) -> str:
    """Name the type that the ``impl`` at ``index`` is for, without path and generics."""
    depth, name = 0, ""
    for position in range(index + 1, len(code)):
        token = code[position]
        if token.text == "<":
            depth += 1
        elif token.text == ">" and code[position - 1].text not in ("-", "="):
            depth -= 1
        elif depth == 0 and token.text in ("{", "where"):
            break
        elif depth == 0 and token.text == "for" and code[position + 1].text != "<":
            name = ""
        elif depth == 0 and token.kind == "word" and token.text not in ("dyn", "mut", "const"):
            name = token.text
    return name
