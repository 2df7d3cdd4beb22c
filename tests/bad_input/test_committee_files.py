"""Files of a committee that are empty, huge, cut or changed are refused, and nothing breaks."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cwts import _bounded, _core, errors
from cwts.committee import demo, identity, parts, plans, rotation, transport
from cwts.committee.entries import EntryFile
from cwts.committee.members import Terms
from cwts.committee.roster import read_roster


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four members who rotated once, and a file of their public halves."""
    made = tmp_path_factory.mktemp("hostile") / "desk"
    demo.create(made, 4, "x.example/log", 60, lambda _status: None)
    demo.rotate(made, 60, lambda _status: None)
    terms = Terms.load(made / "ceremonies/0002/terms.toml")
    tables = [player.to_toml("[[player]]") for player in terms.players]
    (made / "members.toml").write_text(terms.sequencer.to_toml("[sequencer]") + "".join(tables))
    return made


def spoiled(whole: bytes, draw: random.Random) -> Iterator[bytes]:
    yield from (b"", bytes(len(whole)), whole * 2, draw.randbytes(len(whole)), b"A" * 3_000_000)
    for _ in range(12):
        yield whole[: draw.randrange(len(whole))]
    for _ in range(60):
        at = draw.randrange(len(whole))
        yield whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :]


def read_list(path: Path) -> None:
    with EntryFile(path):
        pass


def tls(path: Path) -> None:
    own = identity.own(path.parent)
    terms = Terms.load(path.parent.parent / "ceremonies/0002/terms.toml")
    transport._context(True, path, own.certificate, terms.everybody)


def roster(path: Path) -> None:
    terms = Terms.load(path.parent.parent / "ceremonies/0002/terms.toml")
    read_roster(path.read_bytes(), terms)


def share(path: Path) -> Any:
    folder = path.parent
    return _core.MemberSecrets(str(folder)).share((folder / "output-2.cwts").read_bytes())


#: Each file, who reads it, and whether any change at all is refused.
FILES: dict[str, tuple[Callable[[Path], Any], bool]] = {
    "ceremonies/0002/terms.toml": (Terms.load, False),
    "ceremonies/0002/rotation.json": (lambda path: rotation.Rotation.load(path).verify(), False),
    "ceremonies/0002/transcript.cwts": (
        lambda path: _core.judge_ceremony(_bounded.read(path, 1 << 20)),
        False,
    ),
    "members.toml": (lambda path: plans.new_key(path, "x.example/log", None, 9), False),
    "output.cwts": (lambda path: demo._current(path.parent), False),
    "committee.json": (lambda path: demo._current(path.parent), False),
    "m01/member.toml": (lambda path: identity.load(path.parent), False),
    "m01/vote.key": (lambda path: identity.load(path.parent), True),
    "m01/share.key": (share, True),
    "m01/share-2.cwts": (share, True),
    "m01/output-2.cwts": (parts.read_output, False),
    "m01/ceremony-2.list": (read_list, False),
    "m01/ceremony-2.roster": (roster, True),
    "m01/rotation-2.part": (
        lambda path: rotation.read_part(path, (path.parent / "output-1.cwts").read_bytes()),
        False,
    ),
    "m01/tls.pem": (tls, False),
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_spoiled_file_is_refused_with_a_typed_error(
    name: str, desk: Path, tmp_path: Path
) -> None:
    use, is_sealed = FILES[name]
    copy = Path(shutil.copytree(desk, tmp_path / "desk"))
    path, draw = copy / name, random.Random(name)
    whole, codes = path.read_bytes(), list[str]()
    use(path)
    for content in spoiled(whole, draw):
        if content == whole:
            continue
        path.write_bytes(content)
        try:
            use(path)
        except errors.CwtsError as error:
            codes.append(error.code)
        else:
            assert not is_sealed, content[:40]
        path.write_bytes(whole)
    assert len(codes) > 4, "what is empty, huge or noise is refused"
    assert all(codes), "by a code"
    use(path)


@pytest.mark.parametrize(
    "word", ["committee.json", "output.cwts", "ceremonies/0002/terms.toml", "m01/member.toml"]
)
def test_a_file_that_is_not_there_is_named(word: str, desk: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(desk, tmp_path / "desk"))
    (copy / word).unlink()
    with pytest.raises(errors.InputError, match=Path(word).name):
        FILES[word][0](copy / word)


def test_a_malformed_part_is_one_less_and_stops_no_rotation(desk: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(desk, tmp_path / "desk"))
    old = (copy / "m01/output-1.cwts").read_bytes()
    new = (copy / "m01/output-2.cwts").read_bytes()
    found = [rotation.read_part(path, old) for path in sorted(copy.glob("m*/rotation-2.part"))]
    made = tmp_path / "again.json"
    rotation.certify(made, old, new, found[:3])
    assert rotation.Rotation.load(made).verify()
    with pytest.raises(errors.NotEnoughSharesError):
        rotation.certify(tmp_path / "none.json", old, new, found[:2])
    assert not (tmp_path / "none.json").exists()
