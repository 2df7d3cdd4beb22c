"""Files that are written: never over what is read, and whole or not at all.

Invariant: nothing is opened for writing before every output was compared with every input, through
symbolic and hard links; what stood under an output's name stays until the new file is complete.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cwts.errors import input_error

__all__ = ["check_outputs", "check_run_outputs", "numbered", "whole_file"]


def check_outputs(
    outputs: Iterable[tuple[str, Path | None]],
    inputs: Iterable[tuple[str, Path | None]],
    folders: Iterable[tuple[str, Path | None]] = (),
) -> None:
    """Refuse outputs that would destroy what is read, each other, or a log.

    Parameters
    ----------
    outputs : iterable
        The option that names an output, and its path.
    inputs : iterable
        What is read: a word for it, and its path.
    folders : iterable
        Folders whose every file is signed for: a word, and the path; it need not exist yet.

    Raises
    ------
    InputError
        An output is one of the inputs or another output, or lies in one of the folders.
    """
    read = {_identity(path): f"{word} {path}" for word, path in inputs if path is not None}
    signed = {os.path.realpath(path): word for word, path in folders if path is not None}
    written: dict[object, str] = {}
    for name, path in outputs:
        if path is None or (file := _identity(path)) is None:
            continue
        if file in read:
            raise input_error(
                f"{name} {path}: is {read[file]}, which would be overwritten; name another file"
            )
        if file in written:
            raise input_error(f"{name} {path}: is the file of {written[file]}, too; name another")
        written[file] = name
        real = Path(os.path.realpath(path))
        for folder in (real, *real.parents):
            if word := signed.get(os.fspath(folder)):
                raise input_error(
                    f"{name} {path}: lies in {word} {folder}, which holds a log's own files only; "
                    "name a place outside"
                )


def check_run_outputs(
    files: list[Path],
    limits: str | os.PathLike[str] | None,
    log: Path | None,
    decisions: Path | None,
    *,
    one_session: bool,
    report: Path | None = None,
    expect: Path | None = None,
) -> None:
    """Refuse what a replay must not write to; nothing was opened yet.

    Raises
    ------
    InputError
        As `check_outputs`; or the rows of `decisions` have no format, or `log` is a file.
    """
    outputs: list[tuple[str, Path | None]] = [("--report", report)]
    if log is not None:
        if log.exists() and not log.is_dir():
            raise input_error(f"--log {log}: is a file; a log needs a folder, absent or empty")
        beside = log.with_name(f"{log.name}.run")
        outputs += [("--log's", beside / name) for name in ("run.json", "labels.ndjson")]
    if decisions is not None:
        if decisions.suffix not in _DECISIONS and (
            not decisions.exists() or decisions.is_file() or not one_session
        ):
            known = ", ".join(_DECISIONS)
            raise input_error(f"--decisions {decisions}: the suffix must be one of {known}")
        rows = [decisions]
        if not one_session:
            rows = [numbered(decisions, number) for number in range(1, len(files) + 1)]
        outputs += [("--decisions", path) for path in rows]
    inputs: list[tuple[str, Path | None]] = [("the input", file) for file in files]
    inputs += [
        ("the limits file", None if limits is None else Path(limits)),
        ("the fingerprint", expect),
    ]
    check_outputs(outputs, inputs, [("--log", log)])


def numbered(path: Path, number: int) -> Path:
    """``out.csv`` of the third file is ``out.0003.csv``."""
    return path.with_name(f"{path.stem}.{number:04}{path.suffix}")


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give where to write a file, which takes its name once it is complete.

    A full disk, an error or Ctrl-C leaves what stood there before. A device or a pipe is written
    to as it is: it has no former content, and a file in its place would not be it.

    Yields
    ------
    Path
        A file beside the real one, symbolic links followed; or the device or pipe itself.
    """
    # What a symbolic link names is replaced, and not the link.
    target = Path(os.path.realpath(path))
    try:
        # Of the name as given: what /dev/stdout leads to may be a pipe, which has no path.
        mode: int | None = Path(path).stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        yield Path(path)
        return
    if not target.parent.is_dir():
        raise input_error(f"{os.fspath(path)}: there is no folder {target.parent}")
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield partial
        if mode is not None:
            partial.chmod(stat.S_IMODE(mode))
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _identity(path: Path) -> object | None:
    """Give what two names of one regular file share, there or not; a device or pipe has none."""
    try:
        found = path.stat()
    except OSError:
        # Not there yet: its name is all there is.
        return os.path.realpath(path)
    # A device or pipe is not used up by being written to.
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


#: What `--decisions` writes, by suffix.
_DECISIONS: Final = (".csv", ".arrow", ".parquet")
