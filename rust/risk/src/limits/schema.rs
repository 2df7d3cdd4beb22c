//! The keys of the limits file, one row a key: what it takes, and which way is stricter.
//!
//! The JSON Schema, `cwts limits diff` and `cwts limits show --effective` come from this table; a
//! test asks the reader for the keys that it knows, section by section, and compares. A key that
//! has no row is still seen by the diff, and every change of it counts as a raise.

use super::schema_rules as rules;

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Money in the base currency, text or whole units, or `"none"`.
    Money,
    /// A whole number of the instrument's smallest unit, or `"none"`.
    Quantity,
    /// A price or distance above zero, text or whole units.
    Price,
    /// A duration such as `"2s"`.
    Duration,
    /// A whole number between two bounds.
    Integer(i64, i64),
    /// `true` or `false`.
    Boolean,
    /// Any text.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Names,
    /// A list out of these texts.
    Choices(&'static [&'static str]),
    /// A table of these keys.
    Table(&'static [Key]),
    /// A table of these keys, or `"none"`.
    TableOrNone(&'static [Key]),
}

/// Which change of a value is provably stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stricter {
    /// None is: every change counts as a raise.
    Never,
    /// A smaller value.
    Smaller,
    /// A larger value.
    Larger,
    /// A multiple of the old value.
    Multiple,
    /// A list with more in it.
    More,
    /// A list with less in it.
    Fewer,
    /// This word.
    Word(&'static str),
    /// A table is as strict as its keys.
    Keys,
}

/// What it means that a key is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// Orders that it concerns are refused with LIMIT_NOT_SET.
    Refuses,
    /// There is no such limit.
    NoLimit,
    /// The same as this number.
    Number(i64),
    /// The same as this word.
    Word(&'static str),
    /// Something that no other value compares with.
    Else,
    /// The reader refuses the table without it.
    Required,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Which way is stricter.
    pub stricter: Stricter,
    /// What it means that it is not written.
    pub absent: Absent,
    /// What it limits, in a sentence.
    pub text: &'static str,
}

/// A section: `*` in its path stands for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionInfo {
    /// Its path, as in `account.*`.
    pub path: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// What it is for.
    pub text: &'static str,
}

pub(super) const fn key(
    name: &'static str,
    kind: Kind,
    stricter: Stricter,
    absent: Absent,
    text: &'static str,
) -> Key {
    Key { name, kind, stricter, absent, text }
}

/// A limit by money or quantity that an account must have.
const fn must(name: &'static str, kind: Kind, text: &'static str) -> Key {
    key(name, kind, Stricter::Smaller, Absent::Refuses, text)
}

/// A limit that may be left out.
pub(super) const fn may(name: &'static str, kind: Kind, text: &'static str) -> Key {
    key(name, kind, Stricter::Smaller, Absent::NoLimit, text)
}

/// What is no bound: every change of it is a raise.
pub(super) const fn fact(name: &'static str, kind: Kind, text: &'static str) -> Key {
    key(name, kind, Stricter::Never, Absent::Else, text)
}

pub(super) const RATE: &[Key] = &[
    key(
        "max",
        Kind::Integer(1, super::RATE_MAX),
        Stricter::Smaller,
        Absent::Required,
        "Largest count.",
    ),
    key("window", Kind::Duration, Stricter::Larger, Absent::Required, "Length of the window."),
    key(
        "counts",
        Kind::Choice(&["all", "accepted_new"]),
        Stricter::Never,
        Absent::Word("all"),
        "What is counted; accepted_new is for replays.",
    ),
    key(
        "algorithm",
        Kind::Choice(&["window"]),
        Stricter::Never,
        Absent::Word("window"),
        "Exact sliding window.",
    ),
];
const DUPLICATES: &[Key] = &[
    key(
        "max",
        Kind::Integer(1, 1_024),
        Stricter::Smaller,
        Absent::Number(1),
        "Equal orders that make the next one a duplicate.",
    ),
    key("window", Kind::Duration, Stricter::Larger, Absent::Required, "How long orders count."),
    key(
        "against",
        Kind::Choice(&["accepted"]),
        Stricter::Never,
        Absent::Word("accepted"),
        "Which orders count.",
    ),
    key(
        "severity",
        Kind::Choice(super::Severity::WORDS),
        Stricter::Word("hard"),
        Absent::Else,
        "What a duplicate means here; as [control] severity says if not said.",
    ),
    fact("key", Kind::Names, "What makes orders equal: side, price, qty."),
];
const POSITION: &[Key] = &[
    key("long", Kind::Quantity, Stricter::Smaller, Absent::Required, "Largest long position."),
    key("short", Kind::Quantity, Stricter::Smaller, Absent::Required, "Largest short position."),
];
const COLLAR: &[Key] = &[
    may("bps", Kind::Integer(0, 100_000), "Basis points of the reference."),
    // Around a reference of zero or below only these two rules say anything, so adding one can
    // make a collar that refused all admit some.
    key(
        "ticks",
        Kind::Integer(0, i32::MAX as i64),
        Stricter::Smaller,
        Absent::Else,
        "Ticks from the reference.",
    ),
    key("absolute", Kind::Price, Stricter::Smaller, Absent::Else, "Distance from the reference."),
    key(
        "reference",
        Kind::Choice(&["last_trade", "external", "mid", "column"]),
        Stricter::Never,
        Absent::Word("last_trade"),
        "Where the reference comes from.",
    ),
    may("max_age", Kind::Duration, "Oldest reference that counts."),
    key(
        "on_missing",
        Kind::Choice(&["deny", "allow"]),
        Stricter::Word("deny"),
        Absent::Word("deny"),
        "Whether limit orders pass before the first reference.",
    ),
];
const LISTS: &[Key] = &[
    key("deny", Kind::Names, Stricter::More, Absent::NoLimit, "Symbols that are refused."),
    key(
        "allow",
        Kind::Names,
        Stricter::Fewer,
        Absent::NoLimit,
        "If given, every other symbol is refused.",
    ),
];
const RESTRICTED: Key = key(
    "restricted",
    Kind::Table(LISTS),
    Stricter::Keys,
    Absent::NoLimit,
    "Symbols that may not be traded here.",
);
const fn rate(absent: Absent) -> Key {
    key(
        "message_rate",
        Kind::TableOrNone(RATE),
        Stricter::Keys,
        absent,
        "Orders, replaces and cancels that may leave within a window.",
    )
}
const fn position(absent: Absent) -> Key {
    key(
        "max_position",
        Kind::TableOrNone(POSITION),
        Stricter::Keys,
        absent,
        "Largest position on each side, working orders included.",
    )
}
const OPEN: Key = may("max_open_notional", Kind::Money, "Working notional.");
const CREDIT: &str = "Working plus held notional.";
const QTY: &str = "Largest order by quantity.";
const NOTIONAL: &str = "Largest order by notional.";

macro_rules! instrument_keys {
    ($($first:expr,)*) => {
        &[
            $($first,)*
            fact("venue", Kind::Text, "Where it trades."),
            fact("currency", Kind::Text, "Currency of its prices; the base currency if not said."),
            key("tick", Kind::Price, Stricter::Never, Absent::Refuses, "Smallest price step."),
            key(
                "lot",
                Kind::Integer(1, i64::MAX),
                Stricter::Multiple,
                Absent::Refuses,
                "Smallest quantity step.",
            ),
            fact("multiplier", Kind::Integer(1, 1_000_000_000), "Contract multiplier."),
            fact("qty_decimals", Kind::Integer(0, 9), "Decimals of the smallest quantity."),
            fact("allow_nonpositive", Kind::Boolean, "Whether prices of zero and below are real."),
            may("max_order_qty", Kind::Quantity, QTY),
            may("max_order_notional", Kind::Money, NOTIONAL),
            key(
                "price_collar",
                Kind::Table(COLLAR),
                Stricter::Keys,
                Absent::Refuses,
                "Band around the reference price; the narrowest rule holds.",
            ),
            rate(Absent::NoLimit),
            rules::MIN_QTY,
            rules::MIN_NOTIONAL,
            rules::PRICE_MOVE,
            rules::ON_HALT,
            rules::PHASES,
            rules::AUCTIONS,
            rules::TYPES,
            rules::REG_SHO,
            rules::MARGIN,
        ]
    };
}

/// Keys of its own, and those that the firm, desks, customers and accounts share.
macro_rules! node_keys {
    ($($own:expr,)*) => {
        &[
            $($own,)*
            OPEN,
            rules::OPEN_ORDERS,
            rules::NET,
            rules::CONCENTRATION,
            rules::DAY,
            rules::SELF_TRADE,
            rules::WINDOW,
            rules::LOSS_LIMIT,
            rules::FALL,
            RESTRICTED,
        ]
    };
}

/// Every section with its keys.
pub const SECTIONS: &[SectionInfo] = &[
    SectionInfo {
        path: "",
        keys: &[
            fact("schema", Kind::Integer(1, 1), "Version of this form."),
            fact("unlisted", Kind::Choice(&["off", "deny"]), "For replays only."),
        ],
        text: "A limits file.",
    },
    SectionInfo {
        path: "firm",
        keys: node_keys! {
            fact("base_currency", Kind::Text, "Currency of all money limits."),
            rules::DAY_ROLL,
            rules::DUPLICATE_ID,
            rules::BUYING_POWER,
            must("credit", Kind::Money, CREDIT),
        },
        text: "The whole firm.",
    },
    SectionInfo {
        path: "desk.*",
        keys: node_keys! {
            may("credit", Kind::Money, CREDIT),
        },
        text: "A desk, by name.",
    },
    SectionInfo {
        path: "customer.*",
        keys: node_keys! {
            fact("desk", Kind::Text, "Its desk."),
            must("credit", Kind::Money, CREDIT),
        },
        text: "A customer, by name.",
    },
    SectionInfo {
        path: "account.*",
        keys: node_keys! {
            fact("customer", Kind::Text, "Its customer."),
            must("max_order_qty", Kind::Quantity, QTY),
            must("max_order_notional", Kind::Money, NOTIONAL),
            must("credit", Kind::Money, CREDIT),
            rules::DAY_ORDERS,
            rules::DAY_QTY,
            rules::CASH,
            rate(Absent::Refuses),
            key(
                "duplicate_order",
                Kind::Table(DUPLICATES),
                Stricter::Keys,
                Absent::NoLimit,
                "Equal orders within a window.",
            ),
            position(Absent::Refuses),
        },
        text: "An account, by name; \"*\" serves accounts that a replay finds in its file.",
    },
    SectionInfo {
        path: "account.*.instrument.*",
        keys: &[position(Absent::Refuses), rules::DAY_QTY],
        text: "An account in one instrument, by symbol.",
    },
    SectionInfo {
        path: "strategy.*",
        keys: &[
            may("max_order_qty", Kind::Quantity, QTY),
            may("max_order_notional", Kind::Money, NOTIONAL),
            rate(Absent::NoLimit),
            rules::ATTEMPTS,
            rules::FILLS,
            rules::SESSION,
            rules::ACCOUNTS,
            rules::GROUPS,
            rules::TYPES,
            rules::OPEN_ORDERS,
            rules::DAY_ORDERS,
            rules::WINDOW,
            rules::LOSS_LIMIT,
            rules::FALL,
        ],
        text: "A strategy, by name.",
    },
    SectionInfo {
        path: "session.*",
        keys: &[rate(Absent::NoLimit), rules::ATTEMPTS, rules::DISCONNECT],
        text: "A session over which strategies send, by name.",
    },
    SectionInfo { path: "venue.*", keys: &[rate(Absent::NoLimit)], text: "A venue, by name." },
    SectionInfo {
        path: "group.*",
        keys: instrument_keys! {},
        text: "Defaults of the instruments that name this group.",
    },
    SectionInfo {
        path: "instrument.*",
        keys: instrument_keys! { fact("group", Kind::Text, "Its group."), },
        text: "An instrument, by symbol.",
    },
    SectionInfo { path: "restricted", keys: LISTS, text: "Symbols that nobody may trade." },
    SectionInfo {
        path: "fx",
        keys: &[],
        text: "Price of one unit of a currency in the base currency.",
    },
    SectionInfo {
        path: "operator.*",
        keys: &[
            fact("key", Kind::Text, "The verification key that `cwts operator new` printed."),
            fact("may", Kind::Choices(super::operators::RIGHTS), "What the key may sign."),
        ],
        text: "A person who may change limits and lift holds, by name.",
    },
    SectionInfo {
        path: "control",
        keys: &[
            rules::STAGES,
            rules::AUTO_TRIP,
            rules::SEVERITY,
            fact(
                "four_eyes",
                Kind::Choices(super::operators::FOUR_EYES),
                "What takes two keys: all three, or the file is refused.",
            ),
        ],
        text: "How changes are made.",
    },
    SectionInfo {
        path: "replay",
        keys: &[
            fact("mapping", Kind::Choice(&["all", "file"]), "How a market's flow becomes orders."),
            fact("replace", Kind::Choice(&["check", "apply"]), "Whether replaces are decided."),
        ],
        text: "For replays only.",
    },
];

/// The section with this path, as in `account.*`.
pub fn section(path: &str) -> Option<&'static SectionInfo> {
    SECTIONS.iter().find(|section| section.path == path)
}

/// The row of a key.
pub fn row(section_path: &str, name: &str) -> Option<&'static Key> {
    section(section_path)?.keys.iter().find(|key| key.name == name)
}

#[cfg(test)]
mod tests;
