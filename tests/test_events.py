"""Files as Arrow columns: what stands in them, exactly, and whatever format they came in."""

from __future__ import annotations

import csv
import gzip
import os
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cwts
from cwts import _core
from cwts.datasets import read

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("CWTS_DATA", ROOT.parent / "shared" / "data"))
AMZN = DATA / "orderflow/lobster/AMZN_2012-06-21_34200000_57600000_message_1.csv.gz"

ROWS = "34200.01746,5,0,1,2238200,-1\r\n34200.2,1,11885113,21,2238100,1\r\n36000.5,7,0,0,-1,-1\r\n"


def table(source: str | os.PathLike[str] | bytes, **options: object) -> pa.Table:
    return pa.table(read(source, **options))  # type: ignore[arg-type]


def test_a_lobster_row_is_a_row_of_integers() -> None:
    rows = table(ROWS.encode(), symbol="AMZN", date="2012-06-21").to_pylist()
    midnight = 1_340_251_200_000_000_000  # New York's, in summer time
    assert [row["ts"] - midnight for row in rows] == [
        34_200_017_460_000,
        34_200_200_000_000,
        36_000_500_000_000,
    ]
    assert rows[0] | {"ts": 0} == {
        "ts": 0,
        "kind": "trade",
        "order_id": 0,
        "account": None,
        "strategy": None,
        "instrument": "AMZN",
        "side": "sell",
        "qty": 1,
        "price": 223_820_000_000,
        "ref_id": 0,
        "flags": 16,
    }
    assert (rows[1]["kind"], rows[1]["side"], rows[1]["order_id"]) == ("add", "buy", 11_885_113)
    assert (rows[2]["kind"], rows[2]["side"], rows[2]["price"]) == ("state", "none", None)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 86_399),
            st.text("0123456789", min_size=1, max_size=9),
            st.sampled_from("1234"),
            st.integers(0, 10**18 - 1),
            st.integers(0, 10**9),
            st.integers(0, 10**10),
            st.sampled_from(["1", "-1"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_numbers_of_any_length_come_out_exactly(
    rows: list[tuple[int, str, str, int, int, int, str]],
) -> None:
    text = "".join(f"{s}.{part},{k},{i},{q},{p},{d}\n" for s, part, k, i, q, p, d in rows)
    found = table(text.encode())
    assert found["ts"].to_pylist() == [int(Fraction(f"{s}.{part}") * 10**9) for s, part, *_ in rows]
    assert found["order_id"].to_pylist() == [row[3] for row in rows]
    assert found["qty"].to_pylist() == [row[4] for row in rows]
    assert found["price"].to_pylist() == [row[5] * 100_000 for row in rows]
    assert found["side"].to_pylist() == ["buy" if row[6] == "1" else "sell" for row in rows]
    assert len(read(text.encode())) == len(rows)


@pytest.mark.skipif(not AMZN.is_file(), reason=f"{AMZN} is absent; set CWTS_DATA")
def test_the_public_day_is_read_to_the_last_digit() -> None:
    found = read(AMZN)
    facts = found.facts
    assert (facts["format"], facts["compression"], facts["records"]) == ("lobster", "gzip", 57_515)
    columns = pa.table(found)
    assert read(gzip.decompress(AMZN.read_bytes()), symbol="AMZN").facts["compression"] == "none"
    with gzip.open(AMZN, "rt", encoding="ascii", newline="") as file:
        rows = list(csv.reader(file))[1:]
    midnight = 1_340_251_200_000_000_000
    assert columns["ts"].to_pylist() == [midnight + int(Fraction(row[0]) * 10**9) for row in rows]
    assert columns["qty"].to_pylist() == [int(row[3]) for row in rows]
    assert columns["price"].to_pylist() == [int(row[4]) * 100_000 for row in rows]
    ids = [0 if row[1] == "5" else int(row[2]) for row in rows]
    assert columns["order_id"].to_pylist() == ids
    words = {"1": "add", "2": "reduce", "3": "delete", "4": "fill", "5": "trade"}
    assert columns["kind"].to_pylist() == [words[row[1]] for row in rows]
    assert columns["instrument"].unique().to_pylist() == ["AMZN"]


def test_every_format_of_the_generator_gives_the_same_columns(tmp_path: Path) -> None:
    for suffix in ("csv", "parquet", "arrow"):
        cwts.datasets.synth(tmp_path / f"flow.{suffix}", 20_000, seed=3)
    first, *others = (table(tmp_path / f"flow.{suffix}") for suffix in ("csv", "parquet", "arrow"))
    assert first.num_rows == 20_000
    assert all(other.to_pylist() == first.to_pylist() for other in others)


def test_what_is_read_can_be_written_and_replayed(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    name = "AMZN_2012-06-21_0_1_message_1.csv"
    (tmp_path / name).write_text(ROWS * 30, encoding="ascii", newline="")
    pq.write_table(table(tmp_path / name), tmp_path / "day.parquet")
    text, columns = (
        cwts.replay(tmp_path / file, mapping="all").json for file in (name, "day.parquet")
    )
    assert text["orders"] == columns["orders"] == 30
    assert text["by_mask"] == columns["by_mask"]
    assert text["decisions_sha256"] == columns["decisions_sha256"]


def test_many_rows_come_in_batches_that_share_their_words(tmp_path: Path) -> None:
    path = tmp_path / "flow.csv"
    cwts.datasets.synth(path, 300_000, seed=5, instruments=40)
    columns = table(path)
    assert columns.num_rows == 300_000
    chunks = columns["instrument"].chunks
    assert len(chunks) == 3
    assert all(chunk.dictionary.equals(chunks[-1].dictionary) for chunk in chunks)
    assert "SYN0040" in chunks[0].dictionary.to_pylist()


def test_polars_and_pandas_take_it_as_it_is() -> None:
    import pandas as pd
    import polars as pl

    events = read(ROWS.encode(), symbol="AMZN")
    assert pl.DataFrame(events)["qty"].to_list() == [1, 21, 2]
    assert pl.DataFrame(events).height == 3  # and again: it is not used up
    assert list(pd.DataFrame.from_arrow(events)["qty"]) == [1, 21, 2]


def test_a_bad_row_is_named_and_nothing_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text(ROWS + "34201.0,1,x,1,1,1\n", encoding="ascii", newline="")
    with pytest.raises(
        cwts.errors.InputError, match=rf"day\.csv: .* record 3, byte {len(ROWS)}:"
    ) as bad:
        read(path)
    assert bad.value.code == "INPUT"


def test_too_many_rows_for_a_table_are_refused() -> None:
    assert len(read(ROWS.encode(), rows_max=3)) == 3
    with pytest.raises(cwts.errors.InputError, match="more than 2 rows; a replay reads any"):
        read(ROWS.encode(), rows_max=2)


def test_an_unknown_format_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='"lobstr" is not one of'):
        read(ROWS.encode(), format="lobstr")
    with pytest.raises(cwts.errors.InputError, match="directory"):
        read(tmp_path)
    with pytest.raises(TypeError, match="give one of them"):
        _core.read_events()
