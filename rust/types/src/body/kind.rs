//! The type byte of an entry. Codes: design note "audit", section 3; new types take new codes here.

macro_rules! entry_types {
    ($($code:literal $variant:ident $name:literal)*) => {
        /// The type byte of an entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum EntryType {
            $(#[doc = $name] $variant = $code,)*
        }

        impl EntryType {
            /// All types of this release, by ascending code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The type with this code, if there is one.
            #[inline]
            pub fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

entry_types! {
    0x00 Schema "SCHEMA"
    0x01 Genesis "GENESIS"
    0x02 Close "CLOSE"
    0x03 Recovery "RECOVERY"
    0x04 KeyEpoch "KEY_EPOCH"
    0x05 Clock "CLOCK"
    0x07 Fsck "FSCK"
    0x08 Gap "GAP"
    0x10 Order "ORDER"
    0x11 Decision "DECISION"
    0x12 Exec "EXEC"
    0x14 Alias "ALIAS"
    0x15 Sealed "SEALED"
    0x20 Reference "REFERENCE"
    0x21 LimitPropose "LIMIT_PROPOSE"
    0x22 LimitApprove "LIMIT_APPROVE"
    0x23 LimitActivate "LIMIT_ACTIVATE"
    0x24 LimitExpire "LIMIT_EXPIRE"
    0x25 Kill "KILL"
    0x26 Resume "RESUME"
    0x27 Override "OVERRIDE"
    0x28 Locate "LOCATE"
    0x29 Session "SESSION"
    0x2A Tick "TICK"
    0x2B ReleaseDenied "RELEASE_DENIED"
    0x2C Config "CONFIG"
    0x2D Register "REGISTER"
    0x2F Alert "ALERT"
    0x30 Amend "AMEND"
    0x31 Hold "HOLD"
    0x32 HoldRelease "HOLD_RELEASE"
    0x33 Shred "SHRED"
    0x34 Archive "ARCHIVE"
    0x35 Access "ACCESS"
    0x3D TriggerCounts "TRIGGER_COUNTS"
    0x7F Note "NOTE"
}
