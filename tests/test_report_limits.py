"""The report's table of limits in use."""

from __future__ import annotations

from cwts.report import report_html
from report_run import day


def test_the_use_of_a_limit_is_read_in_its_own_unit() -> None:
    """Money comes in micros and is shown in units of currency; counts stay whole numbers."""
    rows = [
        {"scope": "firm", "limit": "credit", "used": 1_500_000, "peak": 2_000_000,
         "max": 250_000_000_000, "pct": 0.1, "money": True},
        {"scope": "account:A", "limit": "message_rate", "used": 3, "peak": 300, "max": 400,
         "pct": 75.0, "money": False},
    ]  # fmt: skip
    page = report_html({**day(), "limit_use": rows})
    for shown in ("1.50", "2.00", "250,000.00", ">3<", ">300<", ">400<"):
        assert shown in page, shown
    assert "300.0000" not in page
