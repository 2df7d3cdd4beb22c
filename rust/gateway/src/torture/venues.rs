//! Seeds of the formats that venues and their distributors send: DBN, ITCH 5.0 and FIX logs.
//!
//! Made from our own flow: ITCH by our own writer, the others by the few lines here. DBN's head is
//! that of its specification, versions 1 and 3: fixed fields, then symbols and their mappings.

use cwts_feeds::event::{Event, EventKind};
use cwts_feeds::itch::ItchWriter;

use super::feeds::MIDNIGHT_NS;
use super::seeds::flow;

pub(super) fn itch() -> Vec<Vec<u8>> {
    let (mut events, mut names) = flow();
    // The format's times are of one day, and its symbols have eight letters.
    for name in &mut names.instruments {
        name.truncate(8);
    }
    for event in &mut events {
        event.ts_ns = MIDNIGHT_NS + event.ts_ns % DAY_NS;
    }
    let (mut writer, mut out) = (ItchWriter::new(MIDNIGHT_NS), Vec::new());
    if writer.write(&events, &names, &mut out, &mut Vec::new()).is_err() {
        return Vec::new();
    }
    writer.finish(&mut out);
    vec![out]
}

pub(super) fn dbn() -> Vec<Vec<u8>> {
    let (events, _) = flow();
    [1, 3].map(|version| dbn_stream(version, &events)).to_vec()
}

fn dbn_stream(version: u8, events: &[Event]) -> Vec<u8> {
    let symbol_bytes: u16 = if version == 1 { 22 } else { 71 };
    let text = |text: &str| {
        let mut field = text.as_bytes().to_vec();
        field.resize(usize::from(symbol_bytes), 0);
        field
    };
    let mut head = b"XNAS.ITCH\0\0\0\0\0\0\0".to_vec();
    head.extend(0_u16.to_le_bytes()); // schema mbo
    head.extend(MIDNIGHT_NS.to_le_bytes()); // start
    head.extend(u64::MAX.to_le_bytes()); // end: open
    head.extend(0_u64.to_le_bytes()); // limit: none
    if version == 1 {
        head.extend(u64::MAX.to_le_bytes()); // record count: unknown
    }
    head.extend([1, 0, 0]); // raw symbols in, instrument ids out, no send times
    if version > 1 {
        head.extend(symbol_bytes.to_le_bytes());
    }
    head.resize(HEAD_FIXED_BYTES, 0);
    head.extend(0_u32.to_le_bytes()); // no schema definition
    head.extend(1_u32.to_le_bytes());
    head.extend(text("ACME"));
    head.extend([0; 8]); // none partial, none not found
    head.extend(1_u32.to_le_bytes());
    head.extend(text("ACME"));
    head.extend(1_u32.to_le_bytes());
    head.extend([20_120_621_u32, 20_120_622].map(u32::to_le_bytes).concat());
    head.extend(text("1"));

    let mut out = [b"DBN", &[version][..], &(head.len() as u32).to_le_bytes()].concat();
    out.extend(head);
    let last = events.len().saturating_sub(1);
    for (at, event) in events.iter().enumerate() {
        let (action, order_id) = match event.kind {
            EventKind::Add => (b'A', event.order_id),
            EventKind::Reduce | EventKind::Delete => (b'C', event.order_id),
            EventKind::Fill => (b'F', event.order_id),
            EventKind::Replace => (b'M', event.order_id),
            _ => (b'T', 0),
        };
        let side = if event.side == 1 { b'B' } else { b'A' };
        let flags = if at % 3 == 2 || at == last { 0x80 } else { 0 };
        let ts = MIDNIGHT_NS + at as u64;
        out.extend([14, 0xa0, 2, 0]); // words, record type, publisher
        out.extend((1 + event.instrument).to_le_bytes());
        out.extend(ts.to_le_bytes());
        out.extend(order_id.to_le_bytes());
        out.extend(event.px.to_le_bytes());
        out.extend(u32::try_from(event.qty).unwrap_or(1).to_le_bytes());
        out.extend([flags, 0, action, side]);
        out.extend((ts + 9).to_le_bytes());
        out.extend([0; 4]);
        out.extend((at as u32).to_le_bytes());
    }
    out
}

pub(super) fn fix() -> Vec<Vec<u8>> {
    let session = [
        "35=A|34=1|49=ME|56=VENUE|52=20240102-03:04:05|98=0|108=30",
        "35=D|34=2|49=ME|56=VENUE|52=20240102-03:04:05.678|11=a1|1=ACC|55=ACME|54=1|38=100|40=2\
         |44=10.5",
        "35=8|34=2|49=VENUE|56=ME|52=20240102-03:04:06.000001|37=v1|11=a1|17=e1|150=0|39=0\
         |55=ACME|54=1",
        "35=G|34=3|49=ME|56=VENUE|52=20240102-03:04:07|11=a2|41=a1|55=ACME|54=1|38=80.000|40=2\
         |44=11",
        "35=8|34=3|49=VENUE|56=ME|52=20240102-03:04:60|37=v1|11=a2|41=a1|17=e2|150=5|39=5|38=80\
         |44=11|14=0|55=ACME|54=1",
        "35=8|34=4|49=VENUE|56=ME|52=20240102-03:05:01|37=v1|11=a2|17=e3|150=F|39=1|31=11|32=30\
         |14=30|55=ACME|54=1",
        "35=F|34=4|43=Y|49=ME|56=VENUE|52=20240102-03:05:02|11=a3|41=a2|55=ACME|54=1",
        "35=9|34=5|49=VENUE|56=ME|52=20240102-03:05:03|11=a3|41=a2|434=1|39=1",
    ];
    let log = |version: &str, delimiter: &str| {
        let messages =
            session.iter().map(|fields| format!("-> {}\n", fix_message(version, fields)));
        messages.collect::<String>().replace('\x01', delimiter).into_bytes()
    };
    vec![log("FIX.4.2", "\x01"), log("FIX.4.4", "|"), log("FIXT.1.1", "^A")]
}

fn fix_message(version: &str, fields: &str) -> String {
    let body = format!("{fields}|").replace('|', "\x01");
    let head = format!("8={version}\x019={}\x01", body.len());
    let sum = head.bytes().chain(body.bytes()).fold(0_u8, u8::wrapping_add);
    format!("{head}{body}10={sum:03}\x01")
}

/// Metadata up to the lists of symbols.
const HEAD_FIXED_BYTES: usize = 100;
const DAY_NS: u64 = 86_400_000_000_000;

pub(super) const ITCH_TOKENS: &[&[u8]] = &[b"\0\x24A", b"\0\x1fE", b"\0\x23U", b"\0\x13D", b"\0\0"];
pub(super) const DBN_TOKENS: &[&[u8]] =
    &[b"DBN\x01", b"DBN\x02", b"DBN\x03", b"\x0e\xa0", b"\x10\xa0", b"\xff\xff\xff\x7f"];
pub(super) const FIX_TOKENS: &[&[u8]] =
    &[b"8=FIX.4.2\x01", b"\x0135=D\x01", b"\x0110=", b"\x019=", b"\x0143=Y\x01", b"\x01150=F\x01"];
