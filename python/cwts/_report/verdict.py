"""What can be said of a run in one word, and the findings that the word rests on.

The word is computed from the run alone. `bad` means that the report's own figures contradict
each other or that a check failed; `warn` that something a reader would rely on was not shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import text

_ORDER: Final = ("info", "good", "warn", "bad")
_WORDS: Final = {"bad": "Failed", "warn": "Notice", "good": "OK", "info": "Note"}
_PERCENT_FULL: Final = 100.0
_NAMED: Final = 3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `good`, `info`, `warn` or `bad`, and a sentence."""

    level: str
    sentence: str

    @property
    def word(self) -> str:
        return _WORDS[self.level]


def findings(run: Mapping[str, Any]) -> list[Finding]:
    """Everything that was looked at, worst first."""
    found = [_log(run), _verification(run), _totals(run), _labels(run), *_limits(run)]
    found += _warnings(run)
    found += _files(run)
    return sorted((finding for finding in found if finding), key=lambda f: -_ORDER.index(f.level))


def headline(found: list[Finding]) -> tuple[str, str]:
    """The level of the whole and its words."""
    levels = {finding.level for finding in found}
    if "bad" in levels:
        return "bad", "Do not rely on this run: a check failed"
    if "warn" in levels:
        return "warn", "Complete, with notices"
    if "good" in levels:
        return "good", "Complete and verified"
    return "info", "Nothing to judge: the run carries no checks"


def labels_found(run: Mapping[str, Any]) -> tuple[int, int]:
    """How many planted anomalies were found, and how many there were."""
    labels = [text.mapping(label) for label in text.sequence(run.get("labels"))]
    return sum(label.get("found") is True for label in labels), len(labels)


def _log(run: Mapping[str, Any]) -> Finding | None:
    log = text.mapping(run.get("log"))
    if not log:
        return Finding("warn", "No log was written: nothing of this run can be proved later.")
    entries = text.count(log.get("entries"))
    if log.get("durable") is True:
        return Finding("good", f"The log of {entries} entries is durable.")
    return Finding("warn", f"The log of {entries} entries is not known to be durable.")


def _verification(run: Mapping[str, Any]) -> Finding | None:
    verify = text.mapping(run.get("verify"))
    words = text.plain(verify["text"], 240) if isinstance(verify.get("text"), str) else ""
    if verify.get("ok") is True:
        return Finding("good", f"The log was verified after the run. {words}".strip())
    if verify.get("ok") is False:
        return Finding("bad", f"The log failed verification. {words}".strip())
    if not text.mapping(run.get("log")):
        return None
    return Finding("warn", "The log was not verified in this run; the command stands below.")


def _totals(run: Mapping[str, Any]) -> Finding | None:
    orders, accepted = text.whole(run.get("orders")), text.whole(run.get("accepted"))
    if orders is None or accepted is None or not isinstance(run.get("by_first"), Mapping):
        return None
    first, bits = text.counts(run["by_first"]), text.counts(run.get("by_bit"))
    decided = accepted + sum(first.values())
    if decided != orders:
        return Finding(
            "bad",
            f"The decisions do not add up: {accepted:,} accepted and {sum(first.values()):,} "
            f"rejected are not {text.plural(orders, 'order')}.",
        )
    if bits:
        for name, number in first.items():
            if bits.get(name, 0) < number:
                return Finding(
                    "bad",
                    f"{text.plain(name, 40)} decided {text.plural(number, 'order')} but flagged "
                    f"only {bits.get(name, 0):,}.",
                )
    return Finding("good", "Every order has exactly one decision; the counts add up.")


def _labels(run: Mapping[str, Any]) -> Finding | None:
    found, total = labels_found(run)
    if not total:
        return None
    noun = "labelled anomaly" if total == 1 else "labelled anomalies"
    if found == total:
        return Finding("good", f"{found:,} of {total:,} {noun} found.")
    return Finding("bad", f"{found:,} of {total:,} {noun} found; {total - found:,} missed.")


def _limits(run: Mapping[str, Any]) -> list[Finding]:
    over = []
    for row in map(text.mapping, text.sequence(run.get("limit_use"))[:50]):
        percent = text.real(row.get("pct"))
        if percent is not None and percent > _PERCENT_FULL:
            name = f"{text.plain(row.get('scope'), 40)} {text.plain(row.get('limit'), 40)}"
            over.append(Finding("warn", f"{name} stood at {percent:.1f} % of its limit."))
    return over[:5]


def _files(run: Mapping[str, Any]) -> list[Finding]:
    files = [text.mapping(file) for file in text.sequence(run.get("files"))]
    failed = [file for file in files if file.get("ok") is not True]
    if not failed:
        return []
    named = ", ".join(text.plain(file.get("path"), 60) for file in failed[:_NAMED])
    sentence = f"{len(failed):,} of {text.plural(len(files), 'file')} failed: {named}"
    return [Finding("bad", sentence + (" and others." if len(failed) > _NAMED else "."))]


def _warnings(run: Mapping[str, Any]) -> list[Finding]:
    found = []
    warnings = text.sequence(run.get("warnings"))
    if warnings:
        found.append(
            Finding("warn", f"{text.plural(len(warnings), 'warning')} while reading the input.")
        )
    odd = text.counts(run.get("anomalies"))
    named = [f"{text.plain(name, 40)} {number:,}" for name, number in odd.items() if number][:6]
    if named:
        found.append(Finding("info", f"Irregular input, counted and logged: {', '.join(named)}."))
    return found
