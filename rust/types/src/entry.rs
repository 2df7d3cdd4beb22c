//! One log entry: a 40-byte header and a typed body.
//!
//! Source: design note "audit", section 3. Law: `decode` accepts bytes only if encoding the
//! result gives them back.

use crate::body::{Body, EntryType};
use crate::codec::{DecodeError, Reader};

/// Size of the header.
pub const HEADER_BYTES: usize = 40;
/// Largest entry: the bundle's length field is 16 bits.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Largest entry that fits a ring slot, and with prefix and padding two SHA-256 blocks.
pub const HOT_ENTRY_BYTES_MAX: usize = 118;

/// Bits of [`Header::flags`].
pub mod entry_flag {
    /// A person acted.
    pub const MANUAL: u16 = 1;
    /// The input was replayed from a file.
    pub const REPLAYED: u16 = 2;
    /// A test.
    pub const TEST: u16 = 4;
    /// Bits that must be zero.
    pub const RESERVED: u16 = !7;
}

/// Who numbers an entry; each producer counts its own from 0 without gaps.
pub mod producer {
    /// The gateway itself: configuration, registrations, kills, time.
    pub const GATEWAY: u32 = 0;
    /// The Python or native API.
    pub const API: u32 = 1;
    /// A file replay.
    pub const REPLAY: u32 = 2;
    /// A producer with a name of its own has the id `NAMED + h`, where `h` (from 1) is the handle
    /// of the REGISTER entry, of kind actor, that names it: it numbers its entries across restarts.
    pub const NAMED: u32 = 15;
    /// `step`: decisions only.
    pub const DECIDER: u32 = u32::MAX;
}

/// What is known of the clock when an entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum ClockState {
    /// Not known.
    #[default]
    Unknown = 0,
    /// Synchronised.
    Synced = 1,
    /// Holding over.
    Holdover = 2,
    /// Not synchronised.
    Unsynced = 3,
    /// A leap second is near.
    Leap = 4,
}

/// When an accepted order leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum ReleaseMode {
    /// Nothing is released: shadow checks and replays.
    #[default]
    None = 0,
    /// After risk and append.
    Async = 1,
    /// After fsync.
    Durable = 2,
    /// After the committee's certificate.
    Certified = 3,
}

/// What every entry starts with, its type apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// Bits of [`entry_flag`].
    pub flags: u16,
    /// Who numbers this entry.
    pub producer: u32,
    /// Gapless from 0 for each producer.
    pub producer_seq: u64,
    /// UTC nanoseconds.
    pub utc_ns: i64,
    /// Monotonic nanoseconds; 0 in a replay.
    pub mono_ns: u64,
    /// Handle of the responsible person or algorithm; 0 = the gateway itself.
    pub actor: u32,
    /// What is known of the clock.
    pub clock_state: ClockState,
    /// When an accepted order leaves.
    pub release_mode: ReleaseMode,
}

impl Header {
    /// Writes the header of an entry of type `kind` into the first 40 bytes.
    #[inline]
    pub fn write(&self, kind: EntryType, out: &mut [u8; HEADER_BYTES]) {
        out[0] = kind as u8;
        out[1] = LAYOUT_VERSION;
        out[2..4].copy_from_slice(&self.flags.to_le_bytes());
        out[4..8].copy_from_slice(&self.producer.to_le_bytes());
        out[8..16].copy_from_slice(&self.producer_seq.to_le_bytes());
        out[16..24].copy_from_slice(&self.utc_ns.to_le_bytes());
        out[24..32].copy_from_slice(&self.mono_ns.to_le_bytes());
        out[32..36].copy_from_slice(&self.actor.to_le_bytes());
        out[36] = self.clock_state as u8;
        out[37] = self.release_mode as u8;
        out[38] = 0;
        out[39] = 0;
    }

    fn read(reader: &mut Reader<'_>) -> Result<(EntryType, Self), DecodeError> {
        let code = reader.u8("type")?;
        let kind =
            reader.value(EntryType::from_code(code), 1, "type", code.into(), "a known type")?;
        let version = reader.u8("layout_version")?;
        let ok = (version == LAYOUT_VERSION).then_some(());
        reader.value(ok, 1, "layout_version", version.into(), "1")?;
        let flags = reader.u16("flags")?;
        let ok = (flags & entry_flag::RESERVED == 0).then_some(());
        reader.value(ok, 2, "flags", flags.into(), "bits 0 to 2")?;
        let producer = reader.u32("producer")?;
        let producer_seq = reader.u64("producer_seq")?;
        let utc_ns = reader.i64("utc_ns")?;
        let mono_ns = reader.u64("mono_ns")?;
        let actor = reader.u32("actor")?;
        let code = reader.u8("clock_state")?;
        let clock_state = match code {
            0 => Some(ClockState::Unknown),
            1 => Some(ClockState::Synced),
            2 => Some(ClockState::Holdover),
            3 => Some(ClockState::Unsynced),
            4 => Some(ClockState::Leap),
            _ => None,
        };
        let clock_state = reader.value(clock_state, 1, "clock_state", code.into(), "0 to 4")?;
        let code = reader.u8("release_mode")?;
        let release_mode = match code {
            0 => Some(ReleaseMode::None),
            1 => Some(ReleaseMode::Async),
            2 => Some(ReleaseMode::Durable),
            3 => Some(ReleaseMode::Certified),
            _ => None,
        };
        let release_mode = reader.value(release_mode, 1, "release_mode", code.into(), "0 to 3")?;
        reader.zero(2, "reserved")?;
        let header = Self {
            flags,
            producer,
            producer_seq,
            utc_ns,
            mono_ns,
            actor,
            clock_state,
            release_mode,
        };
        Ok((kind, header))
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What every entry starts with.
    pub header: Header,
    /// What it says.
    pub body: Body,
}

impl Entry {
    /// Appends the entry's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = [0; HEADER_BYTES];
        self.header.write(self.body.entry_type(), &mut header);
        out.extend_from_slice(&header);
        self.body.encode(out);
    }

    /// The entry's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HOT_ENTRY_BYTES_MAX);
        self.encode(&mut out);
        out
    }

    /// The entry with these bytes.
    ///
    /// # Errors
    /// The first field that is not canonical, with its position.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            let extra = bytes.len() - ENTRY_BYTES_MAX;
            return Err(DecodeError::Long { offset: ENTRY_BYTES_MAX, extra });
        }
        let mut reader = Reader::new(bytes);
        let (kind, header) = Header::read(&mut reader)?;
        let body = Body::decode(kind, &mut reader)?;
        reader.end()?;
        Ok(Self { header, body })
    }
}

/// Version of every layout in this release.
const LAYOUT_VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        "[^\\x00]{0,30}"
    }

    fn record() -> impl Strategy<Value = [u8; 64]> {
        prop::collection::vec(any::<u8>(), 64).prop_map(|v| {
            let mut out = [0; 64];
            out.copy_from_slice(&v);
            out
        })
    }

    fn refusal() -> impl Strategy<Value = Body> {
        (any::<u64>(), any::<[i64; 2]>(), 0..9u8, record()).prop_map(|(bits, v, level, raw)| {
            let reasons = Reasons(bits & ((1 << CONTROLS.len()) - 1) | 1 << 4);
            let violations: Vec<Violation> = reasons
                .iter()
                .map(|control| Violation {
                    control,
                    level: Level::from_code(level).unwrap(),
                    scope: 7,
                    observed: v[0],
                    limit: v[1],
                })
                .collect();
            let mut decision = Decision::from_bytes(&raw).with_violations(&violations);
            decision.verdict = Verdict::Reject as u8;
            decision.flags = 0;
            Body::Decision(decision, violations)
        })
    }

    fn body() -> impl Strategy<Value = Body> {
        prop_oneof![
            (record(), prop::collection::vec(any::<u8>(), 0..15))
                .prop_map(|(raw, tail)| Body::Order(Order::from_bytes(&raw), tail)),
            refusal(),
            crate::body::keeping::drawn::body(),
            record().prop_map(|raw| Body::Exec(Exec::from_bytes(&raw))),
            (text(), text(), any::<[u8; 32]>(), any::<[u8; 16]>()).prop_map(|(a, b, k, salt)| {
                Body::Genesis(Genesis {
                    origin: a.clone(),
                    log_vkey: b,
                    committee_vkey: String::new(),
                    software: a,
                    k0_sha256: k,
                    retention_years: 7,
                    salt,
                })
            }),
            (any::<u64>(), any::<u32>(), 1..3u8, 0..7u8, any::<bool>(), text(), text()).prop_map(
                |(hold, epoch, state, kind, allow_reduce, actor, reason)| {
                    Body::Kill(Kill {
                        hold,
                        epoch,
                        state: KillState::from_code(state).unwrap(),
                        scope: Scope { kind: ScopeKind::from_code(kind).unwrap(), handle: epoch },
                        rank: 3,
                        allow_reduce,
                        actor,
                        reason,
                    })
                }
            ),
            (any::<u64>(), text(), text(), any::<bool>()).prop_map(|(hold, a, b, yes)| {
                Body::Resume(Resume {
                    hold,
                    epoch: 3,
                    actor: a.clone(),
                    approver: b,
                    reason: a,
                    signatures: yes.then_some([[1; 64], [2; 64]]),
                })
            }),
            (1..9u8, any::<u32>(), any::<[u8; 16]>(), text()).prop_map(
                |(k, handle, salt, name)| {
                    let kind = RegisterKind::from_code(k).unwrap();
                    Body::Register(Register { kind, handle, parent: 1, salt, name })
                }
            ),
            prop::collection::vec(any::<u8>(), 0..200).prop_map(|text| Body::Config(Config {
                kind: ConfigKind::Mapping,
                part: 1,
                parts: 3,
                text
            })),
            (any::<u64>(), any::<[u8; 32]>()).prop_map(|(n, root)| Body::Recovery(Recovery {
                good_size: n,
                cut_bytes: n,
                cause: RecoveryCause::TornTail,
                root
            })),
            (any::<u32>(), any::<[i64; 6]>(), any::<u64>()).prop_map(|(instrument, p, ts)| {
                Body::Reference(Reference {
                    instrument,
                    flags: 1,
                    px: p[0],
                    bid: p[1],
                    ask: p[2],
                    prior_close: p[3],
                    luld_lo: p[4],
                    luld_hi: p[5],
                    ts,
                })
            }),
            Just(Body::Tick),
            (any::<u64>(), any::<[u8; 32]>())
                .prop_map(|(size, root)| Body::Close(Close { size, root })),
            (any::<u32>(), any::<u64>()).prop_map(|(producer, count)| Body::Gap(Gap {
                producer,
                count,
                from_ns: -1,
                to_ns: 5
            })),
            (any::<u64>(), text()).prop_map(|(id, t)| Body::Alias(Alias {
                id,
                kind: AliasKind::ClOrdId,
                text: t.into()
            })),
            (any::<u64>(), any::<u32>()).prop_map(|(s, kill_epoch)| Body::ReleaseDenied(
                ReleaseDenied { order_seq: s, order_id: s, kill_epoch }
            )),
            (any::<u32>(), any::<[u8; 32]>()).prop_map(|(version, sha256)| Body::LimitActivate(
                LimitActivate { version, parts: 1, first_part: 2, sha256 }
            )),
            (any::<[u64; 4]>(), any::<u32>(), any::<[u8; 32]>(), text(), text(), any::<bool>())
                .prop_map(|(n, version, sha256, maker, reason, yes)| {
                    Body::LimitPropose(LimitPropose {
                        id: n[0],
                        version,
                        parts: 1,
                        direction: if yes {
                            LimitDirection::Raise
                        } else {
                            LimitDirection::Tighten
                        },
                        first_part: n[1],
                        effective_ns: n[2],
                        expires_ns: n[3],
                        sha256,
                        maker,
                        reason,
                        signature: yes.then_some([7; 64]),
                    })
                }),
            (any::<u64>(), any::<[u8; 32]>(), text(), any::<bool>()).prop_map(
                |(id, sha256, checker, yes)| {
                    let signature = yes.then_some([8; 64]);
                    Body::LimitApprove(LimitApprove { id, sha256, checker, signature })
                }
            ),
            (any::<u64>(), any::<u32>(), any::<[u8; 32]>()).prop_map(|(id, version, sha256)| {
                Body::LimitExpire(LimitExpire { id, version, parts: 2, first_part: 9, sha256 })
            }),
            (any::<[u8; 16]>(), text()).prop_map(|(salt, text)| Body::Note(Note { salt, text })),
            (any::<u32>(), 0..8u8).prop_map(|(handle, phase)| Body::Session(Session {
                kind: SessionKind::Instrument,
                handle,
                phase: Phase::from_code(phase).unwrap(),
            })),
            (any::<u32>(), 0..i64::MAX, text()).prop_map(|(account, qty, actor)| Body::Locate(
                Locate { account, instrument: 2, qty, actor }
            )),
            Just(Body::Schema(schema_json())),
            (any::<[u64; 4]>(), text(), text(), any::<bool>()).prop_map(|(n, a, b, yes)| {
                Body::Override(Override {
                    order_id: n[0],
                    order_seq: n[1],
                    controls: Reasons(n[2] & ((1 << CONTROLS.len()) - 1) | 1 << 10),
                    expires_ns: n[3],
                    actor: a.clone(),
                    approver: b,
                    reason: a,
                    signatures: yes.then_some([[1; 64], [2; 64]]),
                })
            }),
            (any::<[u32; 2]>(), any::<[u64; 2]>(), any::<[i64; 2]>(), 1..6u8, 0..52u8).prop_map(
                |(h, n, v, kind, bit)| {
                    Body::Alert(Alert {
                        kind: AlertKind::from_code(kind).unwrap(),
                        control: Control::from_bit(bit),
                        level: Level::Firm,
                        percent: bit,
                        scope: h[0],
                        instrument: h[1],
                        order_seq: n[0],
                        order_id: n[1],
                        observed: v[0],
                        limit: v[1],
                    })
                }
            ),
            (any::<[u64; 5]>(), any::<u64>()).prop_map(|(n, bits)| {
                let row = |control: Control| TriggerRow {
                    control,
                    refused: n[3] | 1,
                    soft: 0,
                    alerts: n[4],
                    overridden: 7,
                };
                let rows = Reasons(bits).iter().map(row).collect();
                let [from_ns, to_ns, orders, accepted, cancels] = n;
                Body::TriggerCounts(TriggerCounts {
                    from_ns,
                    to_ns,
                    orders,
                    accepted,
                    cancels,
                    rows,
                })
            }),
        ]
    }

    fn header() -> impl Strategy<Value = Header> {
        (0..8u16, any::<u32>(), any::<u64>(), any::<i64>(), any::<u32>()).prop_map(
            |(flags, producer, n, utc_ns, actor)| Header {
                flags,
                producer,
                producer_seq: n,
                utc_ns,
                mono_ns: n,
                actor,
                clock_state: ClockState::Unsynced,
                release_mode: ReleaseMode::Durable,
            },
        )
    }

    proptest! {
        #[test]
        fn decode_inverts_encode(header in header(), body in body()) {
            let entry = Entry { header, body };
            let bytes = entry.to_bytes();
            prop_assert_eq!(Entry::decode(&bytes), Ok(entry));
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(
            header in header(), body in body(), at in any::<prop::sample::Index>(), bit in 0..8u8,
        ) {
            let mut bytes = Entry { header, body }.to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(entry.to_bytes(), bytes);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(entry.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn every_type_is_drawn_and_a_cut_or_grown_entry_is_refused() {
        use proptest::strategy::ValueTree as _;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..2_400 {
            let body = body().new_tree(&mut runner).unwrap().current();
            seen.insert(body.entry_type());
            let tail_is_open = matches!(body, Body::Order(..));
            let bytes = Entry { header: Header::default(), body }.to_bytes();
            for cut in 0..bytes.len() {
                if !(tail_is_open && cut >= HEADER_BYTES + ORDER_BYTES) {
                    assert!(Entry::decode(&bytes[..cut]).is_err(), "cut at {cut}");
                }
            }
            let grown = [bytes.as_slice(), &[0; 15]].concat();
            assert!(Entry::decode(&grown).is_err());
        }
        assert_eq!(seen.len(), EntryType::ALL.len());
    }

    #[test]
    fn an_order_with_its_header_is_104_bytes_and_the_schema_fits_one_entry() {
        let order =
            Entry { header: Header::default(), body: Body::Order(Order::default(), vec![]) };
        assert_eq!(order.to_bytes().len(), 104);
        assert!(schema_json().is_ascii() && !schema_json().contains("\": "));
        assert!(schema_json().len() < 8_192);
    }
}
