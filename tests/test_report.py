"""The report: bounded, offline, deterministic, and true to the run whatever the run holds."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browser import CHROMIUM, chromium
from cwts import errors
from cwts._report import plot, scale, text
from cwts.report import PAGE_BYTES_MAX, report_fragment, report_html, write_report
from report_run import BUCKETS, CONTROLS, assert_inert, day, parsed


def test_a_day_fits_one_small_page_and_says_what_happened() -> None:
    run = day()
    page = report_html(run)
    assert len(page.encode()) <= PAGE_BYTES_MAX
    seen = assert_inert(page)
    rejected = run["orders"] - run["accepted"]
    assert f"{run['orders']:,} orders decided: {run['accepted']:,} accepted" in seen.said
    assert f"{rejected:,} rejected" in seen.said
    assert "Complete and verified" in seen.said
    assert "5 of 5 labelled anomalies found" in seen.said
    assert f"The first 50 of {rejected:,} rejected orders" in seen.said
    assert "cwts log verify run1/log" in seen.said
    legends = "".join(re.findall(r'<ul class="legend">(.*?)</ul>', page))
    for name, count in run["by_first"].items():
        assert f"{name} {count:,}" in seen.said
        assert f"{name} {count:,}</li>" in legends
    for word in ("accepted", "rejected", "open notional", "message rate", "limit 60"):
        assert f"{word}</li>" in legends
    # The file's own time of day, not the reader's and not UTC.
    assert "09:30:00" in seen.said
    assert "UTC\u221204:00 2012-06-21" in seen.said


def test_the_page_names_nothing_that_a_browser_would_fetch() -> None:
    page = report_html(day())
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy
    assert policy[1].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:"), (
        policy[1]
    )
    rest = page.replace("http-equiv", "", 1)
    for forbidden in ("http", "src=", "@import", "url(", "//", "<script", "javascript:", "data:,"):
        assert forbidden not in rest, forbidden
    assert all(href.startswith("#") for href in re.findall(r'href="([^"]*)"', page))


def test_the_same_run_gives_the_same_bytes_and_is_left_alone() -> None:
    run = day()
    before = copy.deepcopy(run)
    assert report_html(run) == report_html(day())
    assert report_fragment(run) == report_fragment(day())
    assert run == before


@pytest.mark.parametrize("key", sorted(day()))
def test_a_missing_key_is_a_sentence_and_not_a_failure(key: str) -> None:
    run = day()
    del run[key]
    assert_inert(report_html(run))
    assert_inert(report_fragment(run))


@pytest.mark.parametrize("key", sorted(day()["series"]))
def test_a_missing_series_is_a_sentence_and_not_a_failure(key: str) -> None:
    run = day()
    del run["series"][key]
    assert_inert(report_html(run))


def test_an_empty_run_says_in_each_section_what_it_lacks() -> None:
    said = assert_inert(report_html({})).said
    for sentence in (
        "The run does not say how many orders it decided.",
        "The run names no input file.",
        "The run does not say which control rejected what.",
        "The run carries no orders over time.",
        "The run carries no open notional over time.",
        "The run carries no message rate over time.",
        "The run carries no latency.",
        "The run carries no values that were compared with limits.",
        "The run carries no peak use of limits.",
        "The run carries no near misses.",
        "The run carries no use of limits by scope.",
        "No rejected order is on record.",
        "no labelled anomalies",
        "The run counts no irregular rows.",
        "No log was written",
    ):
        assert sentence in said, sentence
    assert "Complete and verified" not in said
    assert_inert(report_fragment({}))


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></svg></title><script>",
    "=cmd|'/c calc'!A0",
    "@SUM(1+1)",
    "\u202egpj.exe\u200b\x00\x1b[2J\n\r\t",
    "half \ud800 pair",
    "&lt;b&gt; &#x3c;",
    "javascript:alert(1)",
    "x" * 100_000,
    "\u202e" * 5_000,
    '"' * 5_000,
)


def poisoned(value: Any, word: str) -> Any:
    """`value` with every text in it replaced, names of mappings too below the top."""
    if isinstance(value, dict):
        return {
            f"{word}{index}" if key in CONTROLS or key.isupper() else key: poisoned(item, word)
            for index, (key, item) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [poisoned(item, word) for item in value]
    return word if isinstance(value, str) else value


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(word: str) -> None:
    run = poisoned(day(), word)
    page = report_html(run)
    assert len(page.encode()) <= PAGE_BYTES_MAX
    seen = assert_inert(page)
    assert_inert(report_fragment(run))
    assert "<script" not in page
    for hidden in ("\u202e", "\u200b", "\x00", "\x1b"):
        assert hidden not in page, f"{hidden!r} would lie about what is on the screen"
    if word.startswith(("=", "@")):
        cells = re.findall(r"<td[^>]*>(?:<[^>]*>)*([^<]+)", page)
        assert any(cell.startswith("&#x27;" + word[0]) for cell in cells)
        assert not any(cell.startswith(("=", "@", "+", "-")) for cell in cells), seen.said


def test_hostile_text_keeps_its_meaning() -> None:
    run = day()
    run["top_denials"][0]["symbol"] = "A<B>&\"C'"
    run["top_denials"][1]["symbol"] = "EVIL\u202eNZMA"
    said = parsed(report_html(run)).said
    assert "A<B>&\"C'" in said
    assert "EVIL\\u202eNZMA" in said


def test_a_page_of_a_huge_run_stays_small_and_states_the_totals() -> None:
    run = day()
    many = 4_000
    run["series"]["rejected"] = {
        f"CONTROL_{index:02}": [index + 1] * BUCKETS for index in range(51)
    }
    run["by_first"] = {f"CONTROL_{index:02}": 10**12 + index for index in range(64)}
    run["by_bit"] = run["by_first"]
    run["accepted"] = 5
    run["orders"] = 5 + sum(run["by_first"].values())
    row = run["top_denials"][0] | {
        "text": "<&>\"'" * 200,
        "reasons": [f"CONTROL_{i:02}" for i in range(51)],
        "symbol": "&" * 200,
        "account": "'" * 200,
    }
    run["top_denials"] = [row] * many
    run["denials_total"] = 10**13
    run["labels"] = [
        {"seq": i, "kind": '"' * 99, "expect": ["A" * 99] * 60, "found": i != 7}
        for i in range(many)
    ]
    run["warnings"] = ['line "&" ' * 100] * many
    run["mapping_notes"] = [f"{i}" + "&" * 900 for i in range(many)]
    run["inputs"] = run["inputs"] * many
    run["limit_use"] = run["limit_use"] * many
    run["log"] |= {f"extra{i}": "&" * 10_000 for i in range(many)}
    run["anomalies"] = {f"KIND_{i}": i for i in range(many)}
    run["mapping"] = {f"k{i}": "v" * 1_000 for i in range(many)}
    page = report_html(run)
    assert len(page.encode()) <= PAGE_BYTES_MAX
    said = assert_inert(page).said
    assert "of 10,000,000,000,000 rejected orders" in said
    assert "3,999 of 4,000 labelled anomalies found; 1 missed" in said
    assert said.index("✗ missed") < said.index("✓ found"), "a missed label must never be cut"
    assert "of 12,000 limits in use" in said
    assert "of 4,000 warnings" in said
    assert len(report_fragment(run)) < 20_000


def test_a_burst_of_one_bucket_is_never_averaged_away() -> None:
    run = day()
    run["series"]["open_notional"] = [0] * 1_233 + [987_654_321_000_000] + [0] * 766
    run["series"]["open_notional_limit"] = 10**15
    run["series"]["rate_peak"] = [1] * 1_999 + [77_777]
    said = parsed(report_html(run)).said
    assert "peak 987,654,321 at 13:30:26" in said
    assert "Peak 987,654,321 of 1,000,000,000: 98.8 % of the limit." in said
    assert "peak 77,777" in said


def test_counts_that_contradict_each_other_turn_the_verdict() -> None:
    run = day()
    run["accepted"] += 1
    said = parsed(report_html(run)).said
    assert "Do not rely on this run" in said
    assert "do not add up" in said

    run = day()
    run["by_bit"] = run["by_bit"] | {"PRICE_COLLAR": 1}
    assert "flagged only 1" in parsed(report_html(run)).said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verify": {"ok": False, "text": "entry 31,337"}}, "Do not rely on this run"),
        ({"verify": None}, "was not verified in this run"),
        ({"log": None, "verify": None}, "No log was written"),
        ({"warnings": ["row 9: price has too many digits"]}, "1 warning while reading"),
        ({"labels": [{"seq": 1, "kind": "k", "expect": [], "found": False}]}, "1 missed"),
    ],
)
def test_what_a_reader_must_not_miss_stands_in_the_verdict(
    change: dict[str, Any], words: str
) -> None:
    page = report_html(day() | change)
    said = parsed(page).said
    assert words in said[: said.index("Orders decided")]
    assert "Complete and verified" not in said


def test_layers_stand_on_each_other() -> None:
    drawn = plot.stacked((("a", [2, 0]), ("b", [3, 4])), 10)
    boxes = re.findall(r"M(\d+) (\d+)h\d+V(\d+)", drawn)
    high = plot.HEIGHT // 10
    full = plot.HEIGHT
    # x, top, bottom: the first column's two layers, then the second column's only one.
    assert [tuple(map(int, box)) for box in boxes] == [
        (0, full - 2 * high, full),
        (0, full - 5 * high, full - 2 * high),
        (plot.WIDTH // 2, full - 4 * high, full),
    ]


def test_a_limit_is_drawn_at_its_own_height() -> None:
    run = day()
    run["series"]["rate_peak"] = [30] * BUCKETS
    run["series"]["rate_limit"] = 60
    page = report_html(run)
    section = page[page.index('<section id="rate"') : page.index('<section id="latency"')]
    line = re.search(r'class="limit" d="M0 ([0-9.]+)H', section)
    curve = re.search(r'class="line c1" d="M\d+ (\d+)L', section)
    assert line
    assert curve
    share_of_limit = (plot.HEIGHT - int(curve[1])) / (plot.HEIGHT - float(line[1]))
    assert share_of_limit == pytest.approx(0.5, abs=0.01)


def test_a_limit_far_above_the_curve_is_named_and_does_not_press_it_flat() -> None:
    run = day()
    run["series"]["rate_limit"] = 1_000_000
    assert "The limit lies above this scale" in parsed(report_html(run)).said
    run["series"]["rate_limit"] = None
    assert "No limit is set for message rate" in parsed(report_html(run)).said


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**40), 2**63, -1, 0])
    | st.floats()
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_value_of_any_shape_breaks_the_page(data: st.DataObject) -> None:
    run = day()
    for _ in range(data.draw(st.integers(1, 4))):
        key = data.draw(st.sampled_from(sorted(run)))
        inner = run[key]
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            inner = inner[0]
        if isinstance(inner, dict) and inner and data.draw(st.booleans()):
            inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(JUNK)
        else:
            run[key] = data.draw(JUNK)
    assert_inert(report_html(run))
    assert_inert(report_fragment(run))


def test_an_integer_too_long_to_print_is_out_of_range() -> None:
    endless = 10**5_000
    run = day()
    for key in ("orders", "accepted", "denials_total"):
        run[key] = endless
    run["series"]["orders"][7] = endless
    run["series"]["rate_limit"] = endless
    run["top_denials"][0] |= {"order_id": endless, "qty": endless, "ts_ns": endless}
    run["mapping"]["account"] = endless
    assert "out of range" in assert_inert(report_html(run)).said
    assert_inert(report_fragment(run))


def test_arrays_serve_as_well_as_lists() -> None:
    run = day()
    expected = report_html(run)
    run["series"] |= {
        key: np.array(run["series"][key]) for key in ("t_ns", "orders", "accepted", "rate_peak")
    }
    run["latency"]["counts"] = np.array(run["latency"]["counts"])
    assert report_html(run) == expected


@given(
    values=st.lists(st.integers(0, 2**60), min_size=1, max_size=3_000),
    wanted=st.integers(1, 400),
)
def test_cutting_keeps_sums_and_extremes(values: list[int], wanted: int) -> None:
    runs = scale.columns(len(values), wanted)
    assert len(runs) <= wanted
    assert sum(scale.cut(values, runs, sum)) == sum(values)
    assert max(scale.cut(values, runs, max)) == max(values)
    assert min(scale.cut(values, runs, min)) == min(values)


@given(top=st.integers(1, 10**15))
def test_ticks_are_round_and_cover_the_largest_value(top: int) -> None:
    limit, ticks = scale.linear_ticks(top)
    assert limit >= top
    assert [at for at, _ in ticks] == sorted({at for at, _ in ticks})
    assert (ticks[0][0], ticks[-1][0]) == (0.0, 1.0)
    assert len(ticks) <= 6
    assert len({label for _, label in ticks}) == len(ticks), "two ticks with one label"


@given(start=st.integers(0, 4 * 10**18), span=st.integers(1, 10**17), length=st.integers(2, 2_000))
def test_time_ticks_lie_on_the_axis(start: int, span: int, length: int) -> None:
    width = max(1, span // length)
    axis = scale.TimeAxis.of([start + width * index for index in range(length)], None)
    assert axis
    assert (axis.start_ns, axis.width_ns, axis.length) == (start, width, length)
    ticks = axis.ticks()
    assert len(ticks) <= 10
    assert all(0 <= at <= 1 for at, _ in ticks)


def test_numbers_read_as_people_write_them() -> None:
    assert text.count(1_234_567) == "1,234,567"
    assert [text.nanoseconds(ns) for ns in (0.5, 118, 2_210, 5e6, 2.5e9, 11.7e9)] == [
        "0.5 ns",
        "118 ns",
        "2.21 µs",
        "5 ms",
        "2.5 s",
        "11.7 s",
    ]
    assert [text.short(value) for value in (0, 950, 2_500, 12_500, 3e6, 1.2e9)] == [
        "0",
        "950",
        "2,500",
        "12.5 k",
        "3 M",
        "1.2 bn",
    ]
    assert text.share(1, 100_000) == "< 0.01 %"
    assert text.share(1, 0) == text.MISSING
    assert text.plain("-5.25") == "-5.25"
    assert text.plain("-5+cmd") == "'-5+cmd"


def test_writing_replaces_the_page_whole(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    size = write_report(day(), target)
    assert target.stat().st_size == size
    assert target.read_text("utf-8") == report_html(day())
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(errors.InputError, match="no folder"):
        write_report(day(), tmp_path / "absent" / "report.html")


def test_the_fragment_is_small_and_says_the_essentials() -> None:
    run = day()
    fragment = report_fragment(run)
    said = assert_inert(fragment).said
    assert len(fragment) < 20_000
    assert f"{run['orders']:,}" in said
    assert f"rejected by PRICE_COLLAR {run['by_first']['PRICE_COLLAR']:,}" in said
    assert run["log"]["root"] in said


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: the page is parsed, not rendered")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_renders_the_page_offline(tmp_path: Path, width: int) -> None:
    assert CHROMIUM
    # The page measures itself nowhere (it runs nothing), so a copy with a probe does: the policy
    # is lifted for the probe alone, and the probe reports what the layout came to.
    run = day()
    page = report_html(run)
    probe = (
        "<script>document.title=JSON.stringify({wide:document.documentElement.scrollWidth,"
        "high:document.documentElement.scrollHeight,"
        "plots:[...document.querySelectorAll('section>figure .box svg')]"
        ".map(s=>s.getBoundingClientRect().width),"
        "curves:[...document.querySelectorAll('.pair .box svg')]"
        ".map(s=>s.getBoundingClientRect().width),"
        "filled:[...document.querySelectorAll('.box path,.box rect')]"
        ".filter(p=>p.getBoundingClientRect().width>0).length,"
        "fetched:performance.getEntriesByType('resource').length})</script></body>"
    )
    assert page.count("</body>") == 1
    frame = tmp_path / "frame.html"
    (tmp_path / "probe.html").write_text(
        re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page).replace(
            "</body>", probe
        ),
        "utf-8",
    )
    # Chromium's window has a least width; a frame has none.
    frame.write_text(
        f'<iframe id="f" src="probe.html" style="border:0;width:{width}px;height:900px"></iframe>'
        "<script>f.onload=()=>{document.title=f.contentDocument.title}</script>",
        "utf-8",
    )
    dom = chromium(
        tmp_path, "--allow-file-access-from-files", "--dump-dom", frame.as_uri()
    ).decode()
    found = re.search(r"<title>\{(.*?)\}</title>", dom)
    assert found, dom[:2_000]
    seen = dict(re.findall(r'"(\w+)":(\[[^]]*\]|\d+)', found[1]))
    assert int(seen["wide"]) <= width, "the page scrolls sideways"
    assert int(seen["high"]) > 2_000
    widths = [float(number) for number in seen["plots"].strip("[]").split(",")]
    assert len(widths) == 5
    assert all(width * 0.6 < plot <= width for plot in widths)
    small = [float(number) for number in seen["curves"].strip("[]").split(",")]
    assert len(small) == len(run["against_limits"]["curves"])
    assert all(200 < plot <= width for plot in small)
    assert int(seen["filled"]) > 100
    assert int(seen["fetched"]) == 0


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: the page is parsed, not rendered")
def test_a_browser_paints_something(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    write_report(day(), page)
    image = tmp_path / "page.png"
    chromium(tmp_path, "--window-size=1280,2400", f"--screenshot={image}", page.as_uri())
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>")
    empty = tmp_path / "blank.png"
    chromium(tmp_path, "--window-size=1280,2400", f"--screenshot={empty}", blank.as_uri())
    # A painted page of text and curves compresses far worse than a white one of its size.
    assert image.stat().st_size > 5 * empty.stat().st_size
