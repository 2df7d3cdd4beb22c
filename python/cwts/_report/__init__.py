"""The rooms behind :mod:`cwts.report`: text, scales, plots, sections, style.

Invariant of all of them: a value of the run reaches the page only through :mod:`.text`, which
escapes it and bounds its length, or as a number formatted here. No page holds a script or an
address that a browser would fetch.
"""
