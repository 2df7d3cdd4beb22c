"""The Rust benchmark of the risk path: run once for a scene, whatever is asked of it."""

from __future__ import annotations

from typing import Any

from cwts.bench import cargo, wide
from cwts.bench.scene import Scene

__all__ = ["detail", "line"]


def line(scene: Scene, name: str, peer: str) -> dict[str, Any]:
    """A line of the benchmark, by its name and peer; see ``rust/gateway/benches/risk``.

    Raises
    ------
    PeerMissing
        The benchmark cannot be built here, or has printed no such line.
    """
    if scene.native is None:
        directory = scene.scratch / "native"
        directory.mkdir()
        wide.write(directory, wide.QUICK if scene.is_quick else wide.FULL)
        quick = ("--quick",) if scene.is_quick else ()
        scene.native = cargo.run("cwts-gateway", "risk", str(directory), *quick)
    for found in scene.native:
        if (found["name"], found["peer"]) == (name, peer):
            return found
    raise scene.missing(f"the Rust benchmark printed no line {name!r} with {peer!r}")


def detail(found: dict[str, Any]) -> dict[str, Any]:
    """What a line says beside its figures."""
    return {key: value for key, value in found.items() if key not in FIGURES}


FIGURES = ("name", "peer", "ours", "ours_min", "peer_value", "peer_min", "ratio", "unit")
