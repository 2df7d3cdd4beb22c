//! Events to CWTS CSV text: the inverse of [`crate::csv`].

use crate::decimal::NANO_SCALE;
use crate::event::{Event, Names, flag};
use crate::words::{kind_word, side_word};
use std::io::Write as _;

/// The header line of the rows below.
pub fn csv_header() -> &'static str {
    "ts,kind,order_id,account,strategy,instrument,side,qty,price,ref_id,flags\n"
}

/// Appends one row an event; handles without a name give empty cells.
///
/// Reading the rows back gives the same events, except that an empty account or strategy reads as
/// `default` and that flags which follow from the row or from the mapping are not written.
pub fn write_csv_rows(events: &[Event], names: &Names, out: &mut Vec<u8>) {
    for event in events {
        number(event.ts_ns, b',', out);
        out.extend_from_slice(kind_word(event.kind).as_bytes());
        out.push(b',');
        number(event.order_id, b',', out);
        name(&names.accounts, event.account, out);
        name(&names.strategies, event.strategy, out);
        name(&names.instruments, event.instrument, out);
        out.extend_from_slice(side_word(event.side).unwrap_or("none").as_bytes());
        out.push(b',');
        signed(event.qty, out);
        out.push(b',');
        if event.flags & flag::UNDEF_PX == 0 {
            price(event.px, out);
        }
        out.push(b',');
        number(event.ref_id, b',', out);
        number(u64::from(event.flags & crate::words::FLAGS_FROM_FILE), b'\n', out);
    }
}

fn number(value: u64, end: u8, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{value}");
    out.push(end);
}

fn signed(value: i64, out: &mut Vec<u8>) {
    let _ = write!(out, "{value}");
}

/// Units of 1e-9 as decimal text without trailing zeros.
fn price(px: i64, out: &mut Vec<u8>) {
    let unit = 10_u64.pow(NANO_SCALE);
    let size = px.unsigned_abs();
    let sign = if px < 0 { "-" } else { "" };
    let _ = write!(out, "{sign}{}", size / unit);
    let (mut fraction, mut places) = (size % unit, NANO_SCALE as usize);
    if fraction == 0 {
        return;
    }
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        places -= 1;
    }
    let _ = write!(out, ".{fraction:0places$}");
}

fn name(table: &[String], handle: u32, out: &mut Vec<u8>) {
    if let Some(name) = table.get(handle as usize) {
        let quoted = name.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'));
        if quoted {
            out.push(b'"');
            for byte in name.bytes() {
                if byte == b'"' {
                    out.push(b'"');
                }
                out.push(byte);
            }
            out.push(b'"');
        } else {
            out.extend_from_slice(name.as_bytes());
        }
    }
    out.push(b',');
}
