"""Several files, each from fresh state: one task a file, over as many processes as asked for.

A worker is an executor of one spawned process: when it dies, the file that it had fails, and no
other. Nothing of the result depends on which worker had which file, or when it finished.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import connection
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cwts import _core
from cwts._outputs import numbered
from cwts._replay import ReplayResult, Run, Standing, Stop, watched, with_warnings
from cwts._replay_merge import merged
from cwts._replay_request import Settings
from cwts.errors import CwtsError, FilesFailedError, input_error

__all__ = ["replay_files"]

Watch = Callable[[Standing], object]

#: How often the parent looks at its workers.
_POLL_S: Final = 0.05
#: How long a worker that was told to stop may take before it is killed.
_STOP_S: Final = 20.0
#: Cells of a worker in the shared memory: what it has done, whether to stop, and who it is.
_EVENTS, _BYTES, _STOP, _PID, _CELLS = range(5)
#: Faults of the run or the machine; the others are the input's.
_NOT_THE_INPUT: Final = {"WORKER_DIED", "INPUT_CHANGED", "LOG_FAILED", "TAMPER", "ROLLBACK", "BUG"}


@dataclass(frozen=True)
class _Task:
    """One file, as it goes to a worker."""

    number: int
    path: Path
    settings: Settings
    log: Path | None
    decisions: Path | None


@dataclass(frozen=True)
class _Done:
    """What became of a file, as it comes back."""

    number: int
    path: str
    text: str = ""
    code: str = ""
    message: str = ""
    orders: bytes = b""
    decisions: bytes = b""
    kept_all: bool = True

    def failure(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "path": self.path,
            "code": self.code,
            "message": self.message,
            "input_is_wrong": self.code not in _NOT_THE_INPUT,
        }


def replay_files(run: Run, watch: Watch | None, stop: Stop | None) -> ReplayResult:
    """Replay each file of a run from fresh state.

    Raises
    ------
    FilesFailedError
        Some files failed; their numbers, paths and reasons, and the result of the others.
    """
    if run.log is not None:
        if run.log.exists() and (not run.log.is_dir() or any(run.log.iterdir())):
            raise input_error(f"{run.log}: is not empty; a replay writes a new log")
        run.log.mkdir(parents=True, exist_ok=True)
    # Of several files nothing is kept unless it is asked for.
    settings = replace(run.settings, keep=bool(run.settings.keep))
    tasks = [
        _Task(
            number,
            path,
            settings,
            None if run.log is None else run.log / f"{number:04}",
            None if run.decisions is None else numbered(run.decisions, number),
        )
        for number, path in enumerate(run.files, 1)
    ]
    told: Watch = watch or (lambda _: None)
    began = time.monotonic()
    workers = min(run.workers, len(tasks))
    done = _serial(tasks, told, stop) if workers == 1 else _Pool(workers).run(tasks, told, stop)
    done.sort(key=lambda one: one.number)
    for one in done:
        if one.code == "CANCELLED":
            raise _cancelled()
    return _result(run, done, time.monotonic() - began)


def _result(run: Run, done: list[_Done], wall_s: float) -> ReplayResult:
    good = [one for one in done if not one.code]
    bad = [one.failure() for one in done if one.code]
    result = None
    if good:
        parts = {one.number: with_warnings(json.loads(one.text), run.settings) for one in good}
        head = None
        if run.log is not None and not bad:
            head = _core.seal_run(os.fspath(run.log), len(done), run.settings.keys)
        result = ReplayResult(
            json=MappingProxyType(merged(parts, bad, run.log, head, wall_s)),
            order_records=b"".join(one.orders for one in good),
            decision_records=b"".join(one.decisions for one in good),
            kept_all=run.settings.keep is False or all(one.kept_all for one in good),
        )
    if bad:
        raise FilesFailedError(bad, result, len(done))
    if result is None:
        raise input_error("no file to replay; pass at least one")
    return result


def _obey(stop: Stop | None) -> None:
    if stop is not None and stop.is_set():
        raise _cancelled()


def _cancelled() -> CwtsError:
    error = CwtsError("cancelled")
    error.code = "CANCELLED"
    return error


def _replay_one(task: _Task, look: Callable[[_core.Replay], object], stop: Stop | None) -> _Done:
    """Replay one file; what is wrong with it is a result like any other."""
    path = os.fspath(task.path)
    try:
        core = task.settings.core([task.path], task.log, task.decisions)
        text = watched(core, look=look, stop=stop)
    except CwtsError as error:
        return _Done(task.number, path, code=error.code, message=_naming(path, error))
    except (OSError, ValueError, TypeError) as error:
        return _Done(task.number, path, code="INPUT", message=_naming(path, error))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not end the other files
        return _Done(task.number, path, code="BUG", message=_naming(path, error))
    return _Done(
        task.number,
        path,
        text,
        orders=core.orders,
        decisions=core.decisions,
        kept_all=core.kept_all,
    )


def _naming(path: str, error: Exception) -> str:
    message = str(error)
    return message if path in message else f"{path}: {message}"


def _serial(tasks: list[_Task], watch: Watch, stop: Stop | None) -> list[_Done]:
    """Replay file after file, here: one worker needs no process of its own."""
    done: list[_Done] = []
    before = now = Standing(0, 0)

    def look(core: _core.Replay) -> None:
        nonlocal now
        events, read = before.events + core.events_done, before.bytes + core.bytes_done
        now = Standing(events, read, len(done))
        watch(now)

    for task in tasks:
        done.append(_replay_one(task, look, stop))
        before = now = Standing(now.events, now.bytes, len(done))
        watch(now)
        if done[-1].code == "CANCELLED":
            break
    return done


class _Pool:
    """Workers, each an executor of one spawned process, and the memory that they share."""

    def __init__(self, workers: int) -> None:
        # Fork would copy this process without the Rust threads that it may have.
        self.context = multiprocessing.get_context("spawn")
        # Raw memory: a worker that dies leaves no lock behind.
        self.board = self.context.RawArray("Q", workers * _CELLS)
        self.executors: list[ProcessPoolExecutor | None] = [None] * workers
        self.done = Standing(0, 0)

    def run(self, tasks: list[_Task], watch: Watch, stop: Stop | None) -> list[_Done]:
        waiting, results = deque(tasks), list[_Done]()
        running: dict[Future[_Done], tuple[int, _Task]] = {}
        free = list(range(len(self.executors)))
        try:
            while waiting or running:
                while waiting and free:
                    worker, task = free.pop(), waiting.popleft()
                    running[self.submit(worker, task)] = worker, task
                ended, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in ended:
                    worker, task = running.pop(future)
                    results.append(self.outcome(future, worker, task))
                    free.append(worker)
                watch(self.standing(running))
                _obey(stop)
        except BaseException:
            self.stop(running)
            raise
        finally:
            for executor in self.executors:
                if executor is not None:
                    executor.shutdown(wait=True, cancel_futures=True)
        return results

    def submit(self, worker: int, task: _Task) -> Future[_Done]:
        executor = self.executors[worker]
        if executor is None:
            executor = ProcessPoolExecutor(
                1, self.context, initializer=_begin, initargs=(self.board, worker)
            )
            self.executors[worker] = executor
        # The process starts here. Ctrl-C is the parent's to answer: it tells the workers.
        with _no_interrupt():
            return executor.submit(_work, task)

    def outcome(self, future: Future[_Done], worker: int, task: _Task) -> _Done:
        cells = worker * _CELLS
        events, read = self.board[cells + _EVENTS], self.board[cells + _BYTES]
        self.board[cells + _EVENTS] = self.board[cells + _BYTES] = 0
        self.done = Standing(self.done.events + events, self.done.bytes + read, self.done.files + 1)
        try:
            return future.result()
        except BrokenProcessPool:
            executor, self.executors[worker] = self.executors[worker], None
            if executor is not None:
                executor.shutdown(wait=False)
            why = "its worker process died, as when memory runs out; the other files stand"
            path = os.fspath(task.path)
            return _Done(task.number, path, code="WORKER_DIED", message=f"{path}: {why}")

    def standing(self, running: dict[Future[_Done], tuple[int, _Task]]) -> Standing:
        cells = [worker * _CELLS for worker, _ in running.values()]
        return Standing(
            self.done.events + sum(self.board[cell + _EVENTS] for cell in cells),
            self.done.bytes + sum(self.board[cell + _BYTES] for cell in cells),
            self.done.files,
        )

    def stop(self, running: dict[Future[_Done], tuple[int, _Task]]) -> None:
        """Tell the workers to stop, and wait; one that does not is killed."""
        for worker in range(len(self.executors)):
            self.board[worker * _CELLS + _STOP] = 1
        _, late = wait(running, timeout=_STOP_S)
        for future in late:
            pid = self.board[running[future][0] * _CELLS + _PID]
            if pid:
                os.kill(pid, signal.SIGKILL)


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold SIGINT back; a process that is started meanwhile never gets it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# What follows runs in the workers.

_cells: list[Any] = []


def _begin(board: Any, worker: int) -> None:
    """Make this process a worker: it tells what it does, and ends with its parent."""
    _cells[:] = [board, worker * _CELLS]
    board[worker * _CELLS + _PID] = os.getpid()
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        connection.wait([parent.sentinel])
        # Nobody is left to take the result; the log stays as after a crash.
        os._exit(1)

    threading.Thread(target=follow, name="cwts-follow", daemon=True).start()


class _BoardStop:
    """The parent's wish to stop, in the shared memory."""

    def is_set(self) -> bool:
        board, cells = _cells
        return bool(board[cells + _STOP])


def _work(task: _Task) -> _Done:
    board, cells = _cells

    def look(core: _core.Replay) -> None:
        board[cells + _EVENTS], board[cells + _BYTES] = core.events_done, core.bytes_done

    return _replay_one(task, look, _BoardStop())
