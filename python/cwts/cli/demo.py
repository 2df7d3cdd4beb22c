"""`cwts demo`: the main job, end to end, with figures that were measured in this very run."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click

from cwts import _core, _replay, audit
from cwts.cli.output import FOUND_WRONG, json_option, nanoseconds, progress_bar, write_json
from cwts.cli.tamper import copy_of, flip_bit_of_entry
from cwts.datasets import default_limits
from cwts.report import write_report

__all__ = ["demo"]

_EVENTS: Final = 1_000_000
_EVENTS_QUICK: Final = 100_000
_PROFILE: Final = "equity-liquid@1"
#: The entry that is tampered with, where the log is long enough.
_TAMPERED: Final = 31_337
#: Text between a step's name and its seconds: a line has 80 columns.
_COLUMNS: Final = 61
#: Made by us, so that we may clear it.
_MARKER: Final = ".cwts-demo"
_OURS: Final = ("log", "keys", "tampered", "limits.toml", "labels.ndjson", "run.json")


class _StepFailedError(Exception):
    """A step that did not show what it must show."""


@dataclass
class _Demo:
    """One run of the eight steps; each gives a line for a person and figures for JSON."""

    out: Path
    events: int
    seed: int
    as_json: bool
    facts: dict[str, Any] = field(default_factory=dict)
    verdict: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    @property
    def log(self) -> Path:
        """The log that the demo writes."""
        return self.out / "log"

    def say(self, number: int, name: str, text: str, seconds: float | None = None) -> None:
        """Print a step's line, and more lines below it."""
        if self.as_json:
            return
        first, *more = text.splitlines()
        # Padded by what is seen: a styled word has characters that are not.
        gap = " " * max(1, _COLUMNS - len(click.unstyle(first)))
        took = "" if seconds is None else f"{gap}{seconds:5.2f} s"
        click.echo(f"{click.style(f'{number} {name:<9}', bold=True)} {first}{took}")
        for line in more:
            click.echo(f"{'':12}{line}")

    def run(self) -> None:
        """Run all steps; the first that fails raises."""
        result, wall_s = self.generate_and_replay()
        self.show_log(result)
        self.verify(result)
        self.tamper(result)
        self.halt()
        self.anomalies(result)
        self.facts["seconds"] = {
            "replay_wall": wall_s,
            "demo": time.perf_counter() - self.began,
        }

    def generate_and_replay(self) -> tuple[_replay.ReplayResult, float]:
        """Steps 1 and 2: one pass; the generator's share of it is measured inside."""
        limits = default_limits()
        (self.out / "limits.toml").write_bytes(limits)
        core = self.replay_of(
            limits, log=str(self.log), keys=str(self.out / "keys"), anomalies=True
        )
        started, before = datetime.now(UTC), time.perf_counter()
        with progress_bar() as advance:
            text = _replay.watched(core, advance)
        wall_s = time.perf_counter() - before
        result = _replay.ReplayResult(MappingProxyType(json.loads(text)), labels=core.labels)
        run = result.json
        (self.out / "labels.ndjson").write_text(core.labels, encoding="utf-8")
        _replay.write_run(self.out / "run.json", result, started)
        seconds, labels = run["seconds"], len(run["labels"])
        self.say(
            1,
            "generate",
            f"{run['events']:,} events, {_PROFILE}, seed {self.seed}, {labels} anomalies",
            seconds["decode"],
        )
        orders, accepted = run["orders"], run["accepted"]
        self.say(2, "replay", _decisions(run), seconds["check"] + seconds["log"])
        if not orders or not accepted or orders == accepted:
            raise _StepFailedError("step 2: the flow must hold orders of both kinds")
        self.facts["run"] = dict(run)
        return result, wall_s

    def show_log(self, result: _replay.ReplayResult) -> None:
        """Steps 3 and 4: what was written, and who signed it."""
        head = result.log_head
        if head is None:
            raise _StepFailedError("step 3: no log was written")
        size_bytes = sum(path.stat().st_size for path in self.log.rglob("*") if path.is_file())
        self.say(
            3,
            "log",
            f"{head['entries']:,} entries on disk, {size_bytes / 1e6:.0f} MB, "
            f"root {head['root'][:12]}...",
            result.json["seconds"]["log"],
        )
        vkey = self.vkey()
        self.say(4, "sign", f"checkpoint signed by the log's own key\n{_short(vkey)}")
        self.facts["vkey"] = vkey

    def verify(self, result: _replay.ReplayResult) -> None:
        """Step 5: an outsider's check, with nothing but the directory and the key."""
        before = time.perf_counter()
        verdict = audit.verify(self.log, [self.vkey()])
        seconds = time.perf_counter() - before
        head = result.log_head or {}
        if not verdict.ok:
            raise _StepFailedError(f"step 5: the log does not verify: {verdict.findings[:1]}")
        if (verdict.size, verdict.root) != (head["entries"], head["root"]):
            raise _StepFailedError("step 5: the log verifies, but as another one")
        self.say(
            5,
            "verify",
            f"offline, from directory and key alone: {_good('OK')}, {verdict.size:,} entries",
            seconds,
        )
        self.facts["verify"] = {"ok": True, "size": verdict.size, "seconds": seconds}
        words = f"verified offline with the log's key: {verdict.size:,} entries"
        self.verdict = {"ok": True, "text": words}

    def tamper(self, result: _replay.ReplayResult) -> None:
        """Step 6: one bit of one entry, in a copy."""
        entries = (result.log_head or {})["entries"]
        index = min(_TAMPERED, entries // 2)
        before = time.perf_counter()
        copy = copy_of(self.log, self.out / "tampered")
        flip_bit_of_entry(copy, index)
        verdict = audit.verify(copy, [self.vkey()])
        seconds = time.perf_counter() - before
        shutil.rmtree(copy)
        if verdict.ok or verdict.first_broken != index:
            raise _StepFailedError(
                f"step 6: a bit of entry {index:,} was flipped, and the verdict names "
                f"{verdict.first_broken}"
            )
        self.say(
            6,
            "tamper",
            f"one bit flipped in a copy of entry {index:,}: {_bad('REJECTED')},\n"
            f"named entry {verdict.first_broken:,}",
            seconds,
        )
        self.facts["tamper"] = {"entry": index, "named": verdict.first_broken}

    def halt(self) -> None:
        """Step 7: the kill switch in mid-flow; a third pass up to there tells the cancels apart."""
        at = self.events // 2
        before = time.perf_counter()
        limits = default_limits()
        halted = json.loads(self.replay_of(limits, halt_at=at).run())
        until = json.loads(self.replay_of(limits, events=at).run())
        seconds = time.perf_counter() - before
        refused = halted["orders"] - until["orders"]
        accepted = halted["halt"]["accepted_after"]
        cancels = halted["passed"]["cancel"] - until["passed"]["cancel"]
        rate = until["orders"] / until["seconds"]["total"] / 1e6
        if accepted or halted["halt"]["orders_before"] != until["orders"] or not refused:
            raise _StepFailedError(f"step 7: {accepted:,} of {refused:,} orders passed the halt")
        if not cancels:
            raise _StepFailedError("step 7: no cancel passed the halt")
        self.say(
            7,
            "halt",
            f"kill switch at event {at:,}: {accepted:,} of {refused:,} orders passed,\n"
            f"{cancels:,} cancels passed; this pass has no log: {rate:.2f} M orders/s",
            seconds,
        )
        self.facts["halt"] = {
            "at_event": at,
            "orders_after": refused,
            "accepted_after": accepted,
            "cancels_after": cancels,
        }

    def anomalies(self, result: _replay.ReplayResult) -> None:
        """Step 8: every known anomaly, by a control that it must meet; and the report."""
        labels = result.json["labels"]
        missed = [label["kind"] for label in labels if not label["found"]]
        report = self.out / "report.html"
        size_bytes = write_report({**result.json, "verify": self.verdict}, report)
        self.say(
            8,
            "anomalies",
            f"{len(labels) - len(missed)} of {len(labels)} found\n"
            f"report {report} ({size_bytes / 1e3:.0f} kB, opens offline)",
        )
        self.facts["anomalies"] = {"found": len(labels) - len(missed), "of": len(labels)}
        if missed or not labels:
            raise _StepFailedError(f"step 8: not found: {', '.join(missed) or 'there were none'}")

    def replay_of(self, limits: bytes, *, events: int | None = None, **options: Any) -> Any:
        """Prepare a pass over the demo's flow."""
        return _core.Replay(
            limits,
            "limits.toml",
            profile=_PROFILE,
            events=self.events if events is None else events,
            seed=self.seed,
            **options,
        )

    def vkey(self) -> str:
        """Give the key that an outsider is handed."""
        return (self.log / "log.vkey").read_text(encoding="utf-8").strip()


@click.command()
@click.option("--quick", is_flag=True, help=f"{_EVENTS_QUICK:,} events, not {_EVENTS:,}.")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0, 2**64 - 1))
@click.option(
    "--out",
    default="cwts-demo",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to: absent, empty, or of an earlier demo.",
)
@json_option
@click.pass_context
def demo(ctx: click.Context, *, quick: bool, seed: int, out: Path, as_json: bool) -> None:
    """Generate order flow, decide it, log it, verify the log, break it, halt it, report.

    Everything is made here and stays here; nothing is fetched. Exit code 1 names the step that
    failed.
    """
    _clear(out)
    run = _Demo(out, _EVENTS_QUICK if quick else _EVENTS, seed, as_json)
    try:
        run.run()
    except _StepFailedError as error:
        click.echo(f"cwts demo: {error}", err=True)
        ctx.exit(FOUND_WRONG)
    if as_json:
        write_json(run.facts)
        return
    total_s = time.perf_counter() - run.began
    denials = run.facts["run"]["top_denials"]
    order_id = denials[0]["order_id"] if denials else "ORDER_ID"
    where = shlex.quote(str(out))
    click.echo(f"\nall eight steps in {total_s:.1f} s; next:")
    click.echo(f"  cwts explain {where} {order_id}")
    click.echo(f"  cwts log verify {where} --vkey {where}/log/log.vkey")
    click.echo(f"  cwts replay YOUR_FILE --limits {where}/limits.toml --log run1")


def _clear(out: Path) -> None:
    """Make the demo's directory, without ever removing what somebody else put there."""
    if out.exists() and any(out.iterdir()) and not (out / _MARKER).is_file():
        raise click.UsageError(f"{out} is not empty and no demo made it; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARKER).write_text("made by `cwts demo`, which may clear it\n", encoding="utf-8")
    for name in _OURS:
        path = out / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _decisions(run: Mapping[str, Any]) -> str:
    orders, accepted, seconds = run["orders"], run["accepted"], run["seconds"]
    deciding_s = seconds["check"] + seconds["log"]
    rate = orders / deciding_s / 1e6 if deciding_s else 0.0
    ns = run["ns_per_order"]
    lines = [f"{orders:,} orders: {accepted:,} accepted, {orders - accepted:,} denied"]
    by_first = sorted(run["by_first"].items(), key=lambda row: -row[1])
    lines += [f"{count:>9,}  {name}" for name, count in by_first]
    lines.append(f"{rate:.2f} M orders/s, every entry on disk")
    lines.append(
        f"an order: p50 {nanoseconds(ns['p50'])}, p99 {nanoseconds(ns['p99'])}, "
        f"p99.9 {nanoseconds(ns['p999'])}"
    )
    return "\n".join(lines)


def _short(vkey: str) -> str:
    name, _, rest = vkey.partition("+")
    return f"{name}+{rest[:8]}..."


def _good(word: str) -> str:
    return click.style(word, fg="green", bold=True)


def _bad(word: str) -> str:
    return click.style(word, fg="red", bold=True)
