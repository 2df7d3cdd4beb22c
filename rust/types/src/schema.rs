//! The layouts as JSON: the text of entry 0, so that an archive reads itself.

use crate::body::EntryType;

/// The text of entry 0: ASCII JSON without spaces, one object a type, fields in byte order.
pub fn schema_json() -> String {
    let mut out = String::from("{\"cwts\":1,\"endian\":\"little\",\"header\":");
    push_fields(&mut out, HEADER);
    out.push_str(",\"types\":[");
    for (i, kind) in EntryType::ALL.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(&format!(
            "{{\"type\":{},\"version\":1,\"name\":\"{}\",\"fields\":",
            *kind as u8,
            kind.name()
        ));
        push_fields(&mut out, fields(*kind));
        out.push('}');
    }
    out.push_str("],\"controls\":[");
    for (i, row) in crate::CONTROLS.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(&format!("\"{}\"", row.name));
    }
    out.push_str("],\"levels\":[");
    for (i, level) in crate::Level::ALL.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(&format!("\"{}\"", level.name()));
    }
    out.push_str("]}");
    out
}

fn push_fields(out: &mut String, fields: &[(&str, &str)]) {
    out.push('[');
    for (i, (name, kind)) in fields.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(&format!("[\"{name}\",\"{kind}\"]"));
    }
    out.push(']');
}

type Fields = &'static [(&'static str, &'static str)];

fn fields(kind: EntryType) -> Fields {
    match kind {
        EntryType::Schema => &[("json", "str")],
        EntryType::Genesis => &[
            ("origin", "str"),
            ("log_vkey", "str"),
            ("committee_vkey", "str"),
            ("software", "str"),
            ("k0_sha256", "bytes[32]"),
            ("retention_years", "u16"),
            ("salt", "bytes[16]"),
        ],
        EntryType::Close => &[("size", "u64"), ("root", "bytes[32]")],
        EntryType::Recovery => &[
            ("good_size", "u64"),
            ("cut_bytes", "u64"),
            ("cause", "u8"),
            ("zero", "bytes[7]"),
            ("root", "bytes[32]"),
        ],
        EntryType::Gap => &[
            ("producer", "u32"),
            ("zero", "bytes[4]"),
            ("count", "u64"),
            ("from_ns", "i64"),
            ("to_ns", "i64"),
        ],
        EntryType::Order => &[
            ("seq", "u64"),
            ("ts", "u64"),
            ("px", "i64"),
            ("qty", "i64"),
            ("order_id", "u64"),
            ("ref_id", "u64"),
            ("instrument", "u32"),
            ("account", "u32"),
            ("strategy", "u32"),
            ("kind", "u8"),
            ("side", "u8"),
            ("type_tif", "u8"),
            ("flags", "u8"),
            ("tail", "rest"),
        ],
        EntryType::Decision => &[
            ("seq", "u64"),
            ("order_seq", "u64"),
            ("reasons", "u64"),
            ("observed", "i64"),
            ("limit", "i64"),
            ("order_id", "u64"),
            ("limits_version", "u32"),
            ("kill_epoch", "u32"),
            ("scope", "u32"),
            ("first", "u8"),
            ("level", "u8"),
            ("verdict", "u8"),
            ("flags", "u8"),
            (
                "violations",
                "rest of {control:u8,level:u8,zero:u16,scope:u32,observed:i64,limit:i64}",
            ),
        ],
        EntryType::Exec => &[
            ("seq", "u64"),
            ("ts", "u64"),
            ("order_id", "u64"),
            ("exec_id", "u64"),
            ("last_px", "i64"),
            ("last_qty", "i64"),
            ("cum_qty", "i64"),
            ("venue", "u32"),
            ("exec_type", "u8"),
            ("ord_status", "u8"),
            ("flags", "u16"),
        ],
        EntryType::Alias => &[("id", "u64"), ("kind", "u8"), ("zero", "u8"), ("text", "blob")],
        EntryType::Sealed => &[
            ("kind", "u8"),
            ("what", "u8"),
            ("zero", "bytes[2]"),
            ("subject", "u32"),
            ("sealed", "blob"),
        ],
        EntryType::Reference => &[
            ("instrument", "u32"),
            ("flags", "u32"),
            ("px", "i64"),
            ("bid", "i64"),
            ("ask", "i64"),
            ("prior_close", "i64"),
            ("luld_lo", "i64"),
            ("luld_hi", "i64"),
            ("ts", "u64"),
        ],
        EntryType::LimitPropose => &[
            ("id", "u64"),
            ("version", "u32"),
            ("parts", "u16"),
            ("direction", "u8"),
            ("zero", "u8"),
            ("first_part", "u64"),
            ("effective_ns", "u64"),
            ("expires_ns", "u64"),
            ("sha256", "bytes[32]"),
            ("maker", "str"),
            ("reason", "str"),
            ("signature", "blob of 0 or 64"),
        ],
        EntryType::LimitApprove => &[
            ("id", "u64"),
            ("sha256", "bytes[32]"),
            ("checker", "str"),
            ("signature", "blob of 0 or 64"),
        ],
        EntryType::LimitExpire => &[
            ("id", "u64"),
            ("version", "u32"),
            ("parts", "u16"),
            ("zero", "u16"),
            ("first_part", "u64"),
            ("sha256", "bytes[32]"),
        ],
        EntryType::LimitActivate => &[
            ("version", "u32"),
            ("parts", "u16"),
            ("zero", "u16"),
            ("first_part", "u64"),
            ("sha256", "bytes[32]"),
        ],
        EntryType::Kill => &[
            ("hold", "u64"),
            ("epoch", "u32"),
            ("state", "u8"),
            ("scope_kind", "u8"),
            ("rank", "u8"),
            ("allow_reduce", "u8"),
            ("scope", "u32"),
            ("actor", "str"),
            ("reason", "str"),
        ],
        EntryType::Resume => &[
            ("hold", "u64"),
            ("epoch", "u32"),
            ("authenticated", "u8"),
            ("zero", "bytes[3]"),
            ("actor", "str"),
            ("approver", "str"),
            ("reason", "str"),
            ("signatures", "2 of bytes[64] if authenticated, else none"),
        ],
        EntryType::Override => &[
            ("order_id", "u64"),
            ("order_seq", "u64"),
            ("controls", "u64"),
            ("expires_ns", "u64"),
            ("authenticated", "u8"),
            ("zero", "bytes[7]"),
            ("actor", "str"),
            ("approver", "str"),
            ("reason", "str"),
            ("signatures", "2 of bytes[64] if authenticated, else none"),
        ],
        EntryType::Alert => &[
            ("kind", "u8"),
            ("control", "u8"),
            ("level", "u8"),
            ("percent", "u8"),
            ("scope", "u32"),
            ("instrument", "u32"),
            ("zero", "bytes[4]"),
            ("order_seq", "u64"),
            ("order_id", "u64"),
            ("observed", "i64"),
            ("limit", "i64"),
        ],
        EntryType::TriggerCounts => &[
            ("from_ns", "u64"),
            ("to_ns", "u64"),
            ("orders", "u64"),
            ("accepted", "u64"),
            ("cancels", "u64"),
            ("count", "u8"),
            ("zero", "bytes[7]"),
            (
                "rows",
                "count of {control:u8,zero:bytes[7],refused:u64,soft:u64,alerts:u64,\
                 overridden:u64}",
            ),
        ],
        EntryType::KeyEpoch => &[
            ("epoch", "u64"),
            ("size", "u64"),
            ("root", "bytes[32]"),
            ("chain", "bytes[32]"),
            ("mac", "bytes[32]"),
        ],
        EntryType::Clock => &[
            ("source", "u8"),
            ("zero", "bytes[3]"),
            ("status", "i32"),
            ("flags", "u32"),
            ("tai", "i32"),
            ("maxerror_us", "i64"),
            ("esterror_us", "i64"),
            ("offset_ns", "i64"),
            ("freq", "i64"),
            ("bound_us", "u32"),
            ("zero", "bytes[4]"),
            ("raw_ns", "u64"),
            ("utc_minus_mono_ns", "i64"),
        ],
        EntryType::Fsck => &[
            ("size", "u64"),
            ("root", "bytes[32]"),
            ("findings", "u64"),
            ("level", "u8"),
            ("zero", "bytes[7]"),
        ],
        EntryType::Amend => &[
            ("index", "u64"),
            ("salt", "bytes[16]"),
            ("field", "str"),
            ("value", "str"),
            ("reason", "str"),
        ],
        EntryType::Hold => &[
            ("account", "u32"),
            ("instrument", "u32"),
            ("person", "u32"),
            ("authenticated", "u8"),
            ("zero", "bytes[3]"),
            ("from_ns", "i64"),
            ("to_ns", "i64"),
            ("case", "str"),
            ("actor", "str"),
            ("approver", "str"),
            ("reason", "str"),
            ("signatures", "2 of bytes[64] if authenticated, else none"),
        ],
        EntryType::HoldRelease => &[
            ("authenticated", "u8"),
            ("zero", "bytes[3]"),
            ("case", "str"),
            ("actor", "str"),
            ("approver", "str"),
            ("reason", "str"),
            ("signatures", "2 of bytes[64] if authenticated, else none"),
        ],
        EntryType::Shred => &[
            ("kind", "u8"),
            ("authenticated", "u8"),
            ("zero", "bytes[2]"),
            ("subject", "u32"),
            ("actor", "str"),
            ("approver", "str"),
            ("reason", "str"),
            ("signatures", "2 of bytes[64] if authenticated, else none"),
        ],
        EntryType::Archive => &[
            ("first", "u64"),
            ("last", "u64"),
            ("root", "bytes[32]"),
            ("sha256", "bytes[32]"),
            ("codec", "u8"),
            ("zero", "bytes[7]"),
            ("bytes", "u64"),
        ],
        EntryType::Access => &[
            ("kind", "u8"),
            ("zero", "bytes[7]"),
            ("size", "u64"),
            ("who", "str"),
            ("what", "str"),
        ],
        EntryType::Locate => {
            &[("account", "u32"), ("instrument", "u32"), ("qty", "i64"), ("actor", "str")]
        }
        EntryType::Session => {
            &[("handle", "u32"), ("phase", "u8"), ("kind", "u8"), ("zero", "bytes[2]")]
        }
        EntryType::Tick => &[],
        EntryType::ReleaseDenied => &[
            ("order_seq", "u64"),
            ("order_id", "u64"),
            ("kill_epoch", "u32"),
            ("zero", "bytes[4]"),
        ],
        EntryType::Config => {
            &[("kind", "u8"), ("zero", "u8"), ("part", "u16"), ("parts", "u16"), ("text", "blob")]
        }
        EntryType::Register => &[
            ("kind", "u8"),
            ("zero", "bytes[3]"),
            ("handle", "u32"),
            ("parent", "u32"),
            ("salt", "bytes[16]"),
            ("name", "str"),
        ],
        EntryType::Note => &[("salt", "bytes[16]"), ("text", "str")],
    }
}

const HEADER: Fields = &[
    ("type", "u8"),
    ("layout_version", "u8"),
    ("flags", "u16"),
    ("producer", "u32"),
    ("producer_seq", "u64"),
    ("utc_ns", "i64"),
    ("mono_ns", "u64"),
    ("actor", "u32"),
    ("clock_state", "u8"),
    ("release_mode", "u8"),
    ("zero", "u16"),
];
