"""Kill the gateway in every way, and judge what is left: `cwts torture kill`.

A campaign is trials; a trial is a directory of its own and a few lives of a real gateway process
in it. Between two lives kill files are damaged. What a trial does depends on seed and number alone;
when each part of it happens is the operating system's, so that a violation may need several tries
to come again.
"""

from __future__ import annotations

from cwts._torture_kill.campaign import Campaign, Violation

__all__ = ["Campaign", "Violation"]
