"""Threshold signatures: what a certificate costs beside one verification, and beside others'.

What Python would blur is measured in Rust: ``rust/threshold/benches`` beside our own verification,
``benches/threshold`` beside commonware, which is a workspace of its own for its 178 crates.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cwts import threshold
from cwts.bench import cargo
from cwts.bench.peers import PeerMissing, pinned
from cwts.bench.scene import Measured, Scene, against, alone, same
from cwts.bench.timing import cpu, quiet, wall

__all__ = ["THRESHOLD", "Blspy", "blspy"]


def blspy() -> Blspy:
    """The library, ready to sign and verify.

    Raises
    ------
    PeerMissing
        It is not installed, or in another version than the goals are set against.
    """
    return Blspy(pinned("blspy"))


class Blspy:
    """BLS of another maker over the same curve, keys in G1; no extra of ours brings it."""

    def __init__(self, name: str) -> None:
        module = import_module("blspy")
        self.name = name
        self._scheme = module.BasicSchemeMPL
        self._key = self._scheme.key_gen(bytes(range(32)))
        self._public = self._key.get_g1()

    def sign(self, message: bytes) -> Any:
        """A signature of its one key."""
        return self._scheme.sign(self._key, message)

    def verify(self, message: bytes, signature: Any) -> bool:
        """Whether it is its one key's."""
        return bool(self._scheme.verify(self._public, message, signature))


def _line(scene: Scene, name: str, peer: str) -> Measured:
    quick = ("--quick",) if scene.is_quick else ()
    if peer == "commonware":
        lines = cargo.run_apart("benches/threshold", *quick)
    else:
        lines = cargo.run("cwts-threshold", "threshold", *quick)
    line = next(line for line in lines if (line["name"], line["peer"]) == (name, peer))
    return Measured(
        line["ours"], line["ours_min"], line["peer_value"], line["peer_min"], line["ratio"]
    )


def _beside_commonware(scene: Scene, name: str) -> Measured:
    if scene.peer is None:
        raise PeerMissing("it is measured beside commonware alone: --peers")
    return _line(scene, name, "commonware")


def recover_subsets(scene: Scene) -> Measured:
    """Seven partials to the sum, over all 120 subsets of ten."""
    return _beside_commonware(scene, "recover")


def recover_small(scene: Scene) -> Measured:
    """The same over the 24 subsets whose coefficients need no division."""
    return _beside_commonware(scene, "recover_small")


def certificate(scene: Scene) -> Measured:
    """Seven encoded partials to a verified signature, against one plain verification."""
    return _line(scene, "certificate_7_of_10", "own verify")


def certificate_large(scene: Scene) -> Measured:
    """67 of 100 encoded partials to a verified signature, against verifying each."""
    return _line(scene, "certificate_67_of_100", "own verify each")


def batch_loop(scene: Scene) -> Measured:
    """A signature of a batch of 1,000, against a loop over them."""
    return _line(scene, "verify_batch", "own loop")


def batch_blspy(scene: Scene) -> Measured:
    """The same from Python, against the other library's verification."""
    count = 50 if scene.is_quick else 1_000
    messages = [number.to_bytes(8, "little") for number in range(count)]
    key = threshold.SecretKey.generate()
    public = key.public_key()
    signatures = [threshold.sign(key, message) for message in messages]

    def us() -> float:
        with quiet():
            start = cpu()
            found = threshold.verify_batch(public, messages, signatures)
            elapsed = cpu() - start
        same("bad signatures", found.bad, expected=[])
        return elapsed / count / 1e3

    peer = scene.peer_as(Blspy)
    if peer is None:
        return alone(us, scene.pairs)
    few = 20
    theirs = [peer.sign(message) for message in messages[:few]]

    def them() -> float:
        with quiet():
            start = cpu()
            held = [peer.verify(*one) for one in zip(messages[:few], theirs, strict=True)]
            elapsed = cpu() - start
        same("signatures that hold", all(held), expected=True)
        return elapsed / few / 1e3

    return against(us, them, scene.pairs)


def sign_blspy(scene: Scene) -> Measured:
    """One signature from Python."""
    key = threshold.SecretKey.generate()
    count = 20

    def signing(sign: Any) -> float:
        with quiet():
            start = cpu()
            for number in range(count):
                sign(number.to_bytes(8, "little"))
            return (cpu() - start) / count / 1e3

    peer = scene.peer_as(Blspy)
    if peer is None:
        return alone(lambda: signing(lambda message: threshold.sign(key, message)), scene.pairs)
    return against(
        lambda: signing(lambda message: threshold.sign(key, message)),
        lambda: signing(peer.sign),
        scene.pairs,
    )


def sigma_us(scene: Scene) -> Measured:
    """The slowest of proving and verifying knowledge of a logarithm, and equality of two."""
    return _slowest(scene, ("schnorr_", "dleq_"), 1.0)


def range_ms(scene: Scene) -> Measured:
    """The slower of proving and verifying a hidden exposure below a hidden limit."""
    return _slowest(scene, ("exposure_below_",), 1e3)


def _slowest(scene: Scene, heads: tuple[str, ...], scale: float) -> Measured:
    quick = ("--quick",) if scene.is_quick else ()
    lines = cargo.run("cwts-proofs", "proofs", *quick)
    chosen = [line for line in lines if line["name"].startswith(heads)]
    worst = max(chosen, key=lambda line: float(line["ours"]))
    detail = {line["name"]: line["ours"] / scale for line in chosen}
    return Measured(worst["ours"] / scale, worst["ours_min"] / scale, detail=detail)


def ceremony_cpu(scene: Scene) -> Measured:
    """A key for ten members: the CPU time of all of them."""
    return _beside_commonware(scene, "ceremony")


def refresh_s(scene: Scene) -> Measured:
    """New shares for a committee in processes of their own, files synced, over TLS."""
    from cwts.committee import demo

    desk = scene.scratch / scene.new_log()
    made = demo.create(desk, 4 if scene.is_quick else 10, "bench.example/log", 60, _unwatched)
    times = []
    for _ in range(1 if scene.is_quick else 5):
        start = wall()
        found = demo.refresh(desk, 60, _unwatched)
        times.append((wall() - start) / 1e9)
        same("the committee's key", found.vkey, expected=made.vkey)
    times.sort()
    return Measured(times[len(times) // 2], times[0])


def _unwatched(_status: dict[str, Any]) -> None:
    """Nobody looks."""


THRESHOLD = {
    "recover": recover_subsets,
    "recover_small": recover_small,
    "certificate": certificate,
    "certificate_large": certificate_large,
    "verify_batch": batch_loop,
    "verify_batch_blspy": batch_blspy,
    "sign_blspy": sign_blspy,
    "sigma_us": sigma_us,
    "range_ms": range_ms,
    "ceremony_cpu": ceremony_cpu,
    "refresh_s": refresh_s,
}
