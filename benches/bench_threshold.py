"""Threshold signatures from Python."""

from __future__ import annotations

from cwts import threshold

from .common import Benched


class Threshold(Benched):
    """Seven of ten over one message."""

    def setup(self):
        super().setup()
        self.dealt = threshold.deal(n=10)
        self.parts = [threshold.partial_sign(s, b"a batch") for s in self.dealt.shares]
        self.signature, _ = threshold.recover(self.dealt.sharing, b"a batch", self.parts)
        self.messages = [number.to_bytes(8, "little") for number in range(100)]
        self.key = threshold.SecretKey.generate()
        self.signatures = [threshold.sign(self.key, message) for message in self.messages]

    def time_partial_sign(self):
        threshold.partial_sign(self.dealt.shares[0], b"a batch")

    def time_recover(self):
        threshold.recover(self.dealt.sharing, b"a batch", self.parts[:7])

    def time_verify(self):
        threshold.verify(self.dealt.sharing.key, b"a batch", self.signature)

    def time_verify_batch_of_100(self):
        threshold.verify_batch(self.key.public_key(), self.messages, self.signatures)
