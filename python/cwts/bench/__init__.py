"""Figures with their goals, and the peer's figure from the same run beside them.

``cwts bench`` prints them; the asv suite in ``benches/`` draws them over commits. Both run the
code of this package, so that they cannot disagree on what was measured.
"""

from __future__ import annotations

from cwts.bench.goals import Goal, GoalsError, load_goals

__all__ = ["Goal", "GoalsError", "load_goals"]
