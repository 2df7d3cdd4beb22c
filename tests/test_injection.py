"""Known anomalies in files and in generated flow, under the limits that come with cwts.

The same limits refuse nothing of the untouched files: loose ones would miss what is injected.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import cwts
from cli_run import AMZN, check_schema, cli, needs_amzn
from cwts import _core, audit, datasets
from cwts.errors import InputError

ES = AMZN.parents[1] / "cme_mbo" / "esh4-glbx-mdp3-20231225.mbo.dbn.zst"
SEEDS = (1, 2, 3, 7, 2024)
FILE_KINDS = {
    "fat-finger-qty",
    "fat-finger-price",
    "duplicate-burst",
    "runaway-loop",
    "off-collar",
    "clock-back",
    "unknown-cancel",
    "oversell",
}
PROFILES = [
    ("equity-liquid", "equity"),
    ("equity-thin", "equity"),
    ("future", "future"),
]


@pytest.fixture(scope="session")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of ordinary flow in which nothing is refused."""
    path = tmp_path_factory.mktemp("thin") / "thin.arrow"
    assert datasets.synth(path, 20_000, seed=5, profile="equity-thin", instruments=2) == []
    return path


@pytest.fixture(scope="session")
def es() -> Path:
    """The public day of a future, where it is there."""
    if not ES.is_file():
        pytest.skip(f"NO MARKET DATA: {ES} is absent; set CWTS_DATA")
    return ES


def generated(profile: str, limits: str, *, anomalies: bool, seed: int) -> Any:
    """Replay generated flow under limits that come with cwts; give the result."""
    core = _core.Replay(
        datasets.default_limits(limits),
        limits,
        profile=profile,
        events=60_000,
        seed=seed,
        anomalies=anomalies,
    )
    return json.loads(core.run())


def all_found(run: Any) -> None:
    """Fail unless every label was named by the control that it expects."""
    missed = [label for label in run["labels"] if not label["found"]]
    assert run["labels"], "no anomaly was injected"
    assert not missed, missed


# What the limits that come with cwts must do.


@needs_amzn
@pytest.mark.parametrize("seed", SEEDS)
def test_every_anomaly_in_a_day_of_shares_is_found(seed: int) -> None:
    run = cwts.replay(AMZN, keep=False, anomalies=seed).json
    assert run["limits"]["path"] == "cwts/defaults/equity.toml"
    assert {label["kind"] for label in run["labels"]} == FILE_KINDS
    all_found(run)
    refused = run["inputs"][0]["injected"]["refused"]
    # Precision against the untouched day, of which nothing is refused: what is left is the
    # runaway loop's second, in which the market's own orders are above the rate too.
    share = refused["injected"] / (refused["injected"] + refused["ordinary"])
    assert share > 0.9, refused


def test_the_default_limits_deny_nothing_of_a_day_of_a_future(es: Path) -> None:
    run = cwts.replay(es, keep=False).json
    assert run["limits"]["path"] == "cwts/defaults/future.toml"
    assert run["orders"] == 20_491 + 10_205
    assert run["by_first"] == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_anomaly_in_a_day_of_a_future_is_found(seed: int, es: Path) -> None:
    run = cwts.replay(es, keep=False, anomalies=seed).json
    assert run["limits"]["path"] == "cwts/defaults/future.toml"
    assert {label["kind"] for label in run["labels"]} == FILE_KINDS
    all_found(run)
    refused = run["inputs"][0]["injected"]["refused"]
    share = refused["injected"] / (refused["injected"] + refused["ordinary"])
    assert share > 0.9, refused


@pytest.mark.parametrize("seed", [1, 7])
@pytest.mark.parametrize(("profile", "limits"), PROFILES)
def test_generated_flow_is_refused_for_its_anomalies_only(
    profile: str, limits: str, seed: int
) -> None:
    ordinary = generated(profile, limits, anomalies=False, seed=seed)
    assert ordinary["orders"] > 20_000
    assert ordinary["by_first"] == {}
    run = generated(profile, limits, anomalies=True, seed=seed)
    assert len(run["labels"]) == 9
    all_found(run)


def test_a_file_of_futures_without_a_word_of_it_takes_its_limits_by_name(tmp_path: Path) -> None:
    path = tmp_path / "flow.csv"
    labels = datasets.synth(path, 60_000, seed=3, profile="future", anomalies="default")
    assert len(labels) == 9
    found = cwts.replay(path, "future")
    assert found.json["limits"]["path"] == "cwts/defaults/future.toml"
    by_id = dict(
        zip(found.decisions["order_id"].tolist(), found.decisions["reasons"].tolist(), strict=True)
    )
    for label in labels:
        if label["kind"] in {"clock-back", "unknown-cancel"}:
            assert found.json["anomalies"][label["expect"][0]] > 0
            continue
        masks = [cwts.RejectReason(by_id.get(order_id, 0)) for order_id in label["order_ids"]]
        names = {str(reason.name) for mask in masks for reason in mask}
        assert names & set(label["expect"]), label
    assert "MAX_ORDER_QTY" not in cwts.replay(path, keep=False).json["by_bit"], "shares' limits"


# What an injected run says of itself.


def test_the_log_says_that_it_is_not_the_files_own_day(thin: Path, tmp_path: Path) -> None:
    plain = cwts.replay(thin, log=tmp_path / "plain", keep=False)
    one = cwts.replay(thin, log=tmp_path / "one", keep=False, anomalies=3)
    two = cwts.replay(thin, log=tmp_path / "two", keep=False, anomalies=3)
    other = cwts.replay(thin, log=tmp_path / "other", keep=False, anomalies=4)
    heads = [run.log_head or {} for run in (plain, one, two, other)]
    assert heads[1]["root"] == heads[2]["root"], "the same seed, the same log"
    assert len({head["origin"] for head in heads}) == 3
    assert audit.verify(tmp_path / "one").ok

    entries = b"".join(path.read_bytes() for path in sorted((tmp_path / "one/wal").iterdir()))
    assert b"mapping=file injected_anomalies=8 seed=3" in entries
    assert b"injected_events=" in entries
    untouched = b"".join(path.read_bytes() for path in sorted((tmp_path / "plain/wal").iterdir()))
    assert b"injected" not in untouched

    labels = (tmp_path / "one.run/labels.ndjson").read_text(encoding="utf-8")
    assert labels == one.labels
    assert [json.loads(line)["seq"] for line in labels.splitlines()] == [
        label["seq"] for label in one.json["labels"]
    ]
    assert not (tmp_path / "plain.run/labels.ndjson").exists()
    assert plain.json["inputs"][0]["injected"] is None
    assert one.json["inputs"][0]["sha256"] == plain.json["inputs"][0]["sha256"]
    assert any("were injected (seed 3)" in warning for warning in one.warnings)


def test_the_files_own_orders_are_decided_as_they_were(thin: Path) -> None:
    """But for those that met the loop's second, each order has the decision that it had."""
    plain = cwts.replay(thin)
    touched = cwts.replay(thin, anomalies=7)
    injected = {i for line in touched.labels.splitlines() for i in json.loads(line)["order_ids"]}
    own = [i for i in touched.orders["order_id"].tolist() if i not in injected]
    assert own == plain.orders["order_id"].tolist()
    refused = touched.json["inputs"][0]["injected"]["refused"]
    verdicts = dict(
        zip(
            touched.decisions["order_id"].tolist(),
            touched.decisions["reasons"].tolist(),
            strict=True,
        )
    )
    assert sum(verdicts[i] != 0 for i in own) == refused["ordinary"]


def test_the_command_shows_what_was_found_and_fails_on_what_was_missed(
    thin: Path, tmp_path: Path
) -> None:
    # Limits as a firm would set them for itself: half above what its own flow comes to.
    used = cwts.replay(thin, keep=False).json["limit_use"]
    position = max(row["peak"] for row in used if row["limit"] == "max_position") * 3 // 2
    text = datasets.default_limits().decode().replace("200_000", str(position))
    limits = tmp_path / "limits.toml"
    limits.write_text(text, encoding="utf-8")
    found = cli("replay", thin, "--limits", limits, "--inject-anomalies", "--seed", "3")
    assert found.returncode == 0, found.stderr
    assert "anomalies  8 of 8 found" in found.stdout
    assert "warning    8 anomalies of" in found.stdout
    as_json = cli("replay", thin, "--limits", limits, "--inject-anomalies", "--seed", "3", "--json")
    check_schema(json.loads(as_json.stdout), "replay-v1.json")

    loose = tmp_path / "loose.toml"
    loose.write_text(text.replace("max = 17", "max = 100"), encoding="utf-8")
    missed = cli("replay", thin, "--limits", loose, "--inject-anomalies", "--seed", "3")
    assert missed.returncode == 1
    assert "anomalies  7 of 8 found" in missed.stdout
    assert "anomaly missed: duplicate-burst" in missed.stderr


def test_a_file_too_short_for_every_anomaly_is_named(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    datasets.synth(path, 12, instruments=1)
    found = cli("replay", path, "--inject-anomalies")
    assert found.returncode == 1
    assert "found no place" in found.stderr


def test_a_generated_run_has_anomalies_of_its_own() -> None:
    with pytest.raises(TypeError, match="anomalies=True"):
        _core.Replay(b"", "x", profile="future", events=10, inject=1)


# Generated flow.


def test_an_unknown_profile_is_told_the_known_ones(tmp_path: Path) -> None:
    assert datasets.profiles() == ["equity-liquid", "equity-thin", "future"]
    for make in (
        lambda: datasets.synth(tmp_path / "x.csv", 10, profile="bonds"),
        lambda: datasets.synth(10, profile="bonds"),
    ):
        with pytest.raises(InputError, match="known: equity-liquid, equity-thin, future"):
            make()
    refused = cli("gen", "--profile", "bonds", "-o", tmp_path / "x.csv")
    assert refused.returncode == 2
    assert "known: equity-liquid, equity-thin, future" in refused.stderr


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".arrow"])
def test_every_profile_comes_in_every_format(suffix: str, tmp_path: Path) -> None:
    for profile in datasets.profiles():
        path = tmp_path / f"{profile}{suffix}"
        made = cli("gen", "--profile", profile, "-n", "500", "--seed", "2", "-o", path)
        assert made.returncode == 0, made.stderr
        assert cwts.replay(path, keep=False).json["events"] == 500


def test_a_stream_of_flow_is_the_file_of_it(tmp_path: Path) -> None:
    flow = datasets.synth(20_000, seed=9, profile="future", anomalies="default")
    assert isinstance(flow, datasets.SynthFlow)
    path = tmp_path / "flow.arrow"
    labels = datasets.synth(path, 20_000, seed=9, profile="future", anomalies="default")
    assert flow.labels == labels
    assert len(labels) == 9
    file = pa.ipc.open_file(path).read_all()
    for _ in range(2):
        table = pa.table(flow)
        assert table.num_rows == 20_000
        assert table.equals(file), "each reader gets the stream from its start"
    reader = pa.RecordBatchReader.from_stream(flow)
    assert reader.read_next_batch().num_rows == 8_192, "a batch at a time"
    assert datasets.synth(10).labels == []


def test_a_stream_has_its_length_once() -> None:
    with pytest.raises(InputError, match="first argument"):
        datasets.synth(10, 20)  # type: ignore[call-overload]
    with pytest.raises(InputError, match="say how many"):
        datasets.synth("flow.csv")  # type: ignore[call-overload]
