//! What a decoder met that is odd or of no use, and is not an error: a closed list, counted.
//!
//! Invariant: nothing that a decoder passes over goes uncounted, so a result says how much of its
//! input no control has seen.

macro_rules! notices {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $code:literal, $is_skipped:literal, $text:literal;
    )+) => {
        /// The closed list; a code never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Notice {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Notice {
            /// Every notice, in alphabetical order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable upper-snake code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Whether what was met gave no event.
            pub const fn is_skipped(self) -> bool {
                match self { $(Self::$variant => $is_skipped,)+ }
            }

            /// What a person should know of it, after a count; empty where it is ordinary.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

notices! {
    /// Bytes behind the end of a session.
    AfterEnd = "AFTER_END", true, "bytes stand behind the end of the session and were not read";
    /// A FIX message whose checksum is wrong.
    BadChecksum = "BAD_CHECKSUM", true, "FIX messages have a wrong checksum and were not read";
    /// A FIX message without a field that it needs, or with one that cannot be read.
    BadField = "BAD_FIELD", true,
        "FIX messages lack a field or hold one that cannot be read; none of them was checked";
    /// A FIX message that does not end where it says.
    BadLength = "BAD_LENGTH", true, "FIX messages do not end where they say and were not read";
    /// A trade that the venue broke or corrected afterwards.
    BrokenTrade = "BROKEN_TRADE", true,
        "trades were broken or corrected afterwards; positions still hold them";
    /// An ITCH file without its end of messages.
    NoEnd = "NO_END", false,
        "end of messages (type S, event C) is missing; the day may have been cut short";
    /// A message that carries no order flow.
    NoFlow = "NO_FLOW", true, "";
    /// A FIX application message of a type that is not read.
    OtherType = "OTHER_TYPE", true,
        "FIX messages are of types that are not read; orders in them were not checked";
    /// FIX 43=Y: sent again, perhaps.
    PossDup = "POSSDUP", false,
        "messages are marked as possible duplicates (43=Y), and are no orders";
    /// A FIX order under an id (11) that an earlier one has.
    RepeatedId = "REPEATED_ID", false, "orders repeat the id (11) of an earlier one";
    /// A FIX session message.
    Session = "SESSION", true, "";
    /// An execution report that changes no order.
    StatusOnly = "STATUS_ONLY", true, "";
    /// A message of a type that the format does not list.
    UnknownType = "UNKNOWN_TYPE", true, "messages are of an unknown type and were not read";
}

/// How often each notice came, and where first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notices {
    counts: [u64; Notice::ALL.len()],
    first: [u64; Notice::ALL.len()],
}

impl Notices {
    /// Counts `times` of a notice at a byte of the decompressed input.
    pub fn add(&mut self, notice: Notice, times: u64, offset: u64) {
        let at = notice as usize;
        if self.counts[at] == 0 {
            self.first[at] = offset;
        }
        self.counts[at] = self.counts[at].saturating_add(times);
    }

    /// How often it came.
    pub fn count(&self, notice: Notice) -> u64 {
        self.counts[notice as usize]
    }

    /// The notices that came, with their counts and the byte at which the first stands.
    pub fn met(&self) -> impl Iterator<Item = (Notice, u64, u64)> {
        let rows = Notice::ALL.iter().zip(self.counts).zip(self.first);
        rows.filter(|((_, count), _)| *count > 0).map(|((notice, n), at)| (*notice, n, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_unique() {
        let codes: Vec<_> = Notice::ALL.iter().map(|notice| notice.code()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
    }

    #[test]
    fn the_first_place_stays() {
        let mut notices = Notices::default();
        notices.add(Notice::BadLength, 1, 7);
        notices.add(Notice::BadLength, 2, 99);
        assert_eq!(notices.met().collect::<Vec<_>>(), [(Notice::BadLength, 3, 7)]);
        assert_eq!(notices.count(Notice::BadChecksum), 0);
    }
}
