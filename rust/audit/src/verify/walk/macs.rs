//! The frames' MACs, and the seals of the epochs of their key.
//!
//! That epochs follow one another, and what each seal says of entries and frames, is checked
//! without a key; MACs with `K_0`, from which every later key follows.

use super::{Walk, Walked};
use crate::epoch::{check_seal, seal_of};
use crate::frame::{FRAME_HEADER_BYTES, Frame, LENGTH_BYTES};
use crate::keys::{FrameMac, KeyChain};
use crate::verify::entries::Place;
use crate::verify::finding::{Finding, FindingKind, Stop, hex};

/// The keys of one epoch.
pub(super) struct Macs {
    chain: KeyChain,
    mac: FrameMac,
}

impl Macs {
    fn new(chain: KeyChain) -> Self {
        Self { mac: chain.frame_mac(), chain }
    }

    /// The keys of this epoch or of a later one.
    fn at(self, epoch: u64) -> Self {
        if epoch <= self.chain.epoch() {
            return self;
        }
        let mut chain = self.chain.evolved();
        while chain.epoch() < epoch {
            chain = chain.evolved();
        }
        Self::new(chain)
    }
}

impl Walk<'_, '_> {
    /// In a replay anyone can derive the MAC key; else `K_0` is needed, and GENESIS names it.
    pub(super) fn choose_mac(&mut self, genesis: &[u8]) {
        let Ok(cwts_types::Entry { body: cwts_types::Body::Genesis(genesis), .. }) =
            cwts_types::Entry::decode(genesis)
        else {
            return;
        };
        let chain = if genesis.k0_sha256 == [0; 32] {
            Some(KeyChain::replay(&genesis.salt))
        } else {
            self.keys.clone().filter(|keys| keys.digest() == genesis.k0_sha256)
        };
        self.out.macs_checked = chain.is_some();
        self.out.macs = chain.map(Macs::new);
    }

    /// Whether a frame may be whole as far as epoch and MAC tell; nothing is told.
    pub(super) fn mac_may_hold(&self, frame: &Frame<'_>) -> bool {
        let Ok(seal) = seal_of(frame) else { return false };
        if self.out.chain.is_some()
            && frame.header.key_epoch != self.out.epoch + u64::from(seal.is_some())
        {
            return false;
        }
        let Some(macs) = &self.out.macs else { return true };
        let holds = |mac: &FrameMac| mac.verify(&frame.hash(), frame.mac);
        match frame.header.key_epoch.checked_sub(macs.mac.epoch()) {
            Some(0) => holds(&macs.mac),
            Some(1) => holds(&macs.chain.evolved().frame_mac()),
            _ => true,
        }
    }

    /// Checks which epoch the frame is of, the seal that it starts with, and its MAC.
    pub(super) fn check_mac(
        &mut self,
        frame: &Frame<'_>,
        offset: u64,
        whole: bool,
        finding: &dyn Fn(FindingKind) -> Finding,
    ) -> Result<(), Stop> {
        let stated = frame.header.key_epoch;
        let seal = if whole { seal_of(frame).ok().flatten() } else { None };
        if let Some(seal) = &seal {
            let root = (!self.out.lost).then(|| self.out.range.root());
            let ends = if self.out.chain.is_some() { self.out.epoch } else { seal.epoch };
            let public = check_seal(seal, ends, self.out.size, root.as_ref(), frame.prev);
            let of_epoch = self.out.macs.as_ref().filter(|macs| macs.mac.epoch() == seal.epoch);
            let by_key = match of_epoch {
                Some(macs) if !macs.mac.verify_seal(seal) => {
                    Err(format!("the seal is not by the key of epoch {}", seal.epoch))
                }
                _ => Ok(()),
            };
            if let Err(what) = public.and(by_key) {
                let at = offset + (FRAME_HEADER_BYTES + LENGTH_BYTES) as u64;
                self.findings.push(
                    finding(FindingKind::EpochMac)
                        .at(at)
                        .range(self.out.size, self.out.size + 1)
                        .says(format!("the seal of key epoch {ends}"), what)
                        .by("the entries and frames before it, and the key of its epoch"),
                )?;
            }
        }
        // Behind damage, and in it, the header's word for the epoch is all that there is.
        let known = whole && self.out.chain.is_some();
        let expected = self.out.epoch + u64::from(seal.is_some());
        let is_next = stated == expected;
        if known && !is_next {
            self.findings.push(
                finding(FindingKind::WalHmac)
                    .at(offset + 24)
                    .says(format!("key epoch {expected}"), stated)
                    .by("a frame that starts with KEY_EPOCH is the first of the next, no other is"),
            )?;
        }
        let Some(ahead) = stated.checked_sub(self.out.epoch) else { return Ok(()) };
        self.out.epoch = stated;
        self.out.epochs_lost = self.out.epochs_lost.saturating_add(ahead.saturating_sub(1));
        if self.out.epochs_lost > EPOCHS_LOST_MAX {
            self.out.macs = None;
        }
        let Some(macs) = self.out.macs.take().map(|macs| macs.at(stated)) else { return Ok(()) };
        let macs = self.out.macs.insert(macs);
        if (known && !is_next) || macs.mac.verify(&frame.hash(), frame.mac) {
            return Ok(());
        }
        let at = offset + (FRAME_HEADER_BYTES + frame.payload.len() + 64) as u64;
        self.findings.push(
            finding(FindingKind::WalHmac)
                .at(at)
                .says("the MAC of this frame", hex(frame.mac))
                .by(format!("the frame key of epoch {stated}")),
        )
    }
}

/// A seal that ends no epoch, because its frame does not start with it.
pub(super) fn seal_within(place: &Place<'_>) -> Finding {
    place
        .finding(FindingKind::EpochMac)
        .says("KEY_EPOCH as the first entry of a frame", "one within a frame")
}

impl Walked {
    /// Whether damage hides so many epochs that the keys behind it were not derived.
    pub(in crate::verify) fn macs_lost(&self) -> bool {
        self.macs_checked && self.macs.is_none()
    }
}

/// Epochs that damage may hide: a year of them, one each 10 s.
const EPOCHS_LOST_MAX: u64 = 1 << 22;
