use super::*;
use crate::driven::{Driven, drive};
use proptest::prelude::*;

/// A message with the right length and checksum.
fn message(version: &str, fields: &str) -> String {
    let body = format!("{fields}|").replace('|', "\x01");
    let head = format!("8={version}\x019={}\x01", body.len());
    let sum = head.bytes().chain(body.bytes()).fold(0_u8, u8::wrapping_add);
    format!("{head}{body}10={sum:03}\x01")
}

const TIME: &str = "52=20240102-03:04:05.678";

fn fix42(fields: &str) -> String {
    message("FIX.4.2", fields)
}

fn new_order(id: &str, more: &str) -> String {
    fix42(&format!("35=D|49=ME|56=VENUE|{TIME}|11={id}|55=AAPL|54=1|38=100|40=2|44=1.5{more}"))
}

fn report(fields: &str) -> String {
    fix42(&format!("35=8|49=VENUE|56=ME|{TIME}|55=AAPL|54=1|{fields}"))
}

type Run = Driven<FixDecoder>;

fn run(strict: bool, bytes: &[u8], size: usize) -> Run {
    drive(FixDecoder::new(strict), bytes, size)
}

fn decode(text: &str) -> Run {
    run(false, text.as_bytes(), text.len().max(1))
}

fn met(run: &Run) -> Vec<(Notice, u64)> {
    run.decoder.counts().notices.met().map(|(notice, count, _)| (notice, count)).collect()
}

fn row(event: &Event) -> (EventKind, u64, i64, i64, u64, u8, u16) {
    let Event { kind, order_id, px, qty, ref_id, side, flags, .. } = *event;
    (kind, order_id, px, qty, ref_id, side, flags)
}

#[test]
fn an_execution_is_no_text_id() {
    for n in 0..64 {
        let log = [new_order("a", ""), report(&format!("11=a|17=e{n}|150=F|31=1|32=1|14=1"))];
        let found = decode(&log.concat());
        let id = found.events[1].ref_id;
        assert!(id > 0 && id < crate::decoder::ORDER_TEXT_BASE, "e{n}: {id}");
    }
}

#[test]
fn an_order_from_its_birth_to_its_end() {
    let log = [
        fix42(&format!("35=A|49=ME|56=VENUE|{TIME}|98=0|108=30")),
        new_order("a", "|1=ACC1"),
        report("11=a|37=V1|17=e0|150=0|39=0|151=100|14=0|6=0"),
        report("11=a|37=V1|17=e1|150=1|39=1|31=1.4|32=40|14=40"),
        fix42(&format!(
            "35=G|49=ME|56=VENUE|{TIME}|11=b|41=a|55=AAPL|54=1|38=120.000|40=2|44=1.60"
        )),
        report("11=b|41=a|37=V1|17=e2|150=5|39=1|38=120|44=1.6|14=40"),
        report("11=b|37=V1|17=e3|150=F|31=1.6|32=10|14=50"),
        fix42(&format!("35=F|49=ME|56=VENUE|{TIME}|11=c|41=b|55=AAPL|54=1")),
        report("11=c|41=b|37=V1|17=e4|150=4|39=4|14=50"),
        fix42(&format!("35=9|49=VENUE|56=ME|{TIME}|11=b|41=a|434=2|39=4")),
        fix42(&format!("35=9|49=VENUE|56=ME|{TIME}|11=c|41=b|434=1|39=4")),
        fix42(&format!("35=E|49=ME|56=VENUE|{TIME}|66=list")),
    ]
    .concat();
    let found = decode(&log);
    let texts = found.decoder.order_texts();
    assert_eq!(texts, ["a", "b", "c"]);
    let [a, b] = [ORDER_A, ORDER_A + 1];
    let rows: Vec<_> = found.events.iter().map(row).collect();
    let told = flag::REPORT;
    let ended = told | flag::UNDEF_PX;
    use EventKind::{Add, Delete, Fill, Replace};
    let expected = [
        (Add, a, 1_500_000_000, 100, 0, 1, 0),
        (Fill, a, 1_400_000_000, 40, exec_number(b"e1"), 1, told),
        (Replace, b, 1_600_000_000, 120, a, 1, 0),
        (Replace, b, 1_600_000_000, 120, 0, 1, told),
        (Fill, b, 1_600_000_000, 10, exec_number(b"e3"), 1, told),
        (Delete, b, 0, 0, 0, 1, flag::UNDEF_PX),
        (Delete, b, 0, 0, u64::from(b'4'), 1, ended),
        (Delete, b, 0, 0, u64::from(b'8'), 0, ended),
    ];
    assert_eq!(rows, expected);
    assert_eq!(found.decoder.names().accounts, ["ACC1", "ME"]);
    assert_eq!(found.events[0].ts_ns, 1_704_164_645_678_000_000);
    let srcs: Vec<u64> = found.events.iter().map(|event| event.src).collect();
    assert_eq!(srcs, [1, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(found.decoder.counts().records, 12);
    let counts = [(Notice::OtherType, 1), (Notice::Session, 1), (Notice::StatusOnly, 2)];
    assert_eq!(met(&found), counts);
}

const ORDER_A: u64 = crate::decoder::ORDER_TEXT_BASE;

#[test]
fn words_of_orders() {
    let market = new_order("1", "").replace("40=2", "40=1");
    // The checksum changes with it.
    assert_eq!(met(&decode(&market)), [(Notice::BadChecksum, 1)]);
    let order = |more: &str| fix42(&format!("35=D|49=ME|56=V|{TIME}|11=7|55=T|{more}"));
    let first = |text: &str| row(&decode(text).events[0]);
    let add = EventKind::Add;
    let undefined = flag::UNDEF_PX;
    assert_eq!(first(&order("54=2|38=5|40=1|44=9")), (add, 7, 0, 5, 0, 2, undefined));
    assert_eq!(first(&order("54=5|38=5|40=2|44=-9")), (add, 7, -9_000_000_000, 5, 0, 5, 0));
    assert_eq!(first(&order("54=6|38=5|40=3|99=2")), (add, 7, 0, 5, 0, 6, undefined));
    assert_eq!(first(&order("54=3|38=5|40=P|44=1")), (add, 7, 1_000_000_000, 5, 0, 1, 0));
    let dup = decode(&order("54=1|38=5|40=1|43=Y"));
    assert_eq!(dup.events[0].flags, undefined | flag::POSSDUP);
    assert_eq!(met(&dup), [(Notice::PossDup, 1)]);
    for bad in [
        "54=1|38=5|40=2",
        "54=1|38=5.5|40=1",
        "54=1|38=-5|40=1",
        "54=8|38=5|40=1",
        "38=5|40=1",
        "54=1|40=1",
        "54=1|38=5",
        "54=1|38=5|40=2|44=1e3",
        "54=1|38=5|40=2|44=1.0000000001",
    ] {
        let text = order(bad);
        let found = decode(&text);
        assert_eq!((found.events.len(), met(&found)), (0, vec![(Notice::BadField, 1)]), "{bad}");
        let strict = run(true, text.as_bytes(), 64);
        let error = strict.error.expect(bad);
        assert_eq!((error.record, error.offset), (0, 0), "{error}");
    }
    let again = [new_order("x", ""), new_order("x", ""), new_order("x", "|43=Y")].concat();
    let counts = [(Notice::PossDup, 1), (Notice::RepeatedId, 1)];
    assert_eq!(met(&decode(&again)), counts);
}

#[test]
fn what_is_filled_is_the_sum_that_the_venue_tells() {
    let fills = |reports: &[&str]| -> Vec<i64> {
        let reports: String = reports.iter().map(|fields| report(fields)).collect();
        let found = decode(&[new_order("a", ""), reports].concat());
        found.events[1..].iter().map(|event| event.qty).collect()
    };
    assert_eq!(fills(&["11=a|150=1|31=1|32=10", "11=a|150=2|31=1|32=90"]), [10, 90]);
    // The log lacks one report of 20, and repeats another.
    let lacking = ["11=a|150=1|31=1|32=10|14=10", "11=a|150=1|31=1|32=5|14=35"];
    assert_eq!(fills(&lacking), [10, 25]);
    assert_eq!(fills(&[lacking[0], lacking[0]]), [10]);
    assert_eq!(fills(&["11=a|150=1|31=1|14=10"]), [10]);
    // A trade is taken back: what comes then counts again.
    let broken = ["11=a|20=0|150=1|31=1|32=10|14=10", "11=a|20=1|150=1|32=10|14=0"];
    assert_eq!(fills(&[broken[0], broken[1], "11=a|20=0|150=1|31=1|32=7|14=7"]), [10, 7]);
    // By the venue's id alone, once it is known.
    assert_eq!(fills(&["11=a|37=V|150=0", "37=V|150=F|31=1|32=3|14=3"]), [3]);
    let alone = decode(&report("11=zz|37=V|150=F|32=3|14=9"));
    let flags = flag::REPORT | flag::UNDEF_PX | flag::NO_REF;
    assert_eq!((alone.events[0].qty, alone.events[0].flags), (3, flags));
}

#[test]
fn every_way_to_show_the_delimiter() {
    let soh = [new_order("a", ""), report("11=a|37=V|17=x|150=F|31=1|32=3|14=3")].concat();
    let plain = decode(&soh);
    assert_eq!(plain.events.len(), 2);
    for shown in ["|", "^A"] {
        let text = soh.replace('\x01', shown);
        let found = decode(&text);
        assert_eq!(found.events, plain.events, "{shown}");
        assert_eq!(met(&found), []);
        // A log may leave the last delimiter out, and go on with anything.
        let lines = text.replace(&format!("{shown}8="), "\n2024 <- \0 8=");
        assert_eq!(decode(lines.trim_end_matches(shown)).events, plain.events, "{shown}");
    }
    let fixt = message(
        "FIXT.1.1",
        &format!("35=D|49=ME|56=V|{TIME}|1128=9|11=a|55=AAPL|54=1|38=100|40=2|44=1.5"),
    );
    assert_eq!(row(&decode(&fixt).events[0]), row(&plain.events[0]));
}

#[test]
fn garbled_messages_are_counted_and_the_next_one_is_found() {
    let good = new_order("a", "");
    let cases = [
        (good.replace("9=", "9=1"), Notice::BadLength),
        (good.replace("38=100", "38=101"), Notice::BadChecksum),
        (good.replace("38=100", "38=1000"), Notice::BadLength),
        (good[..good.len() - 20].to_owned(), Notice::BadLength),
        ("8=FIX.4.2\x0135=D\x01".to_owned(), Notice::BadLength),
        ("8=FIX.4.2|9=x|".to_owned(), Notice::BadLength),
        ("8=FIX.4.2|9=0|10=000|".to_owned(), Notice::BadLength),
        ("8=FIX.4.2|9=99999|35=D|".to_owned(), Notice::BadLength),
        ("8=FIX.4.2|9=9999999|35=D|".to_owned(), Notice::BadLength),
    ];
    for (bad, notice) in cases {
        let text = [&good, "junk\r\n", &bad, "\n", &good.replace("11=a", "11=b")].concat();
        // Another id is another checksum.
        let text = text.replace(&good.replace("11=a", "11=b"), &new_order("b", ""));
        let found = decode(&text);
        let ids: Vec<u64> = found.events.iter().map(|event| event.order_id).collect();
        assert_eq!((ids, met(&found)), (vec![ORDER_A, ORDER_A + 1], vec![(notice, 1)]), "{bad}");
        let error = run(true, text.as_bytes(), 7).error.unwrap();
        let offset = (good.len() + 6) as u64;
        assert_eq!((error.kind.code(), error.record, error.offset), (notice.code(), 1, offset));
    }
    // Text that only talks of FIX is none of it.
    assert_eq!(met(&decode("see 8=FIX and 8=FIXED, or ExpectedBeginString=FIX.4.2 for more")), []);
}

/// A log of messages with junk around them, and how many of them are right.
fn logs() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let junk = prop::sample::select(vec![
        "",
        "\n",
        "\0\0 -> ",
        "2024-01-02 <== ",
        "JUNK\r\n",
        "8=FI",
        "8=FIX",
        "8=FIX.4.4",
        "10=000|",
        "9=12|35=D|",
        "^A^",
        "|||",
    ]);
    let delimiter = prop::sample::select(vec!["\x01", "|", "^A"]);
    let part = (junk, delimiter, 0..7_u8, 1..1_000_u32, any::<bool>());
    prop::collection::vec(part, 0..12).prop_map(|parts| {
        let (mut log, mut right) = (String::new(), 0);
        for (at, (junk, delimiter, what, qty, whole)) in parts.into_iter().enumerate() {
            let id = format!("id-{at}");
            let text = match what {
                0 => new_order(&id, ""),
                1 => fix42(&format!("35=F|49=ME|56=V|{TIME}|11=c{at}|41={id}|55=T|54=2")),
                2 => report(&format!("11={id}|37=V|17=e{at}|150=F|31=1.25|32={qty}")),
                3 => report(&format!("11={id}|37=V|17=e{at}|150=0")),
                4 => fix42(&format!("35=0|49=ME|56=V|{TIME}")),
                5 => fix42(&format!("35=B|49=ME|56=V|{TIME}|95=3|96=a\x01b|148=x")),
                _ => new_order(&id, "|58=^ and A but no caret A"),
            };
            let text = text.replace('\x01', delimiter);
            let cut = if whole { text.len() } else { text.len() - 12 };
            right += usize::from(whole);
            log += junk;
            log += &text[..cut];
            log += "\n";
        }
        (log.into_bytes(), right)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_whole_message_is_found_among_junk((log, right) in logs(), size in 1..70_usize) {
        let whole = run(false, &log, log.len().max(1));
        prop_assert_eq!(&whole.error, &None);
        prop_assert_eq!(whole.decoder.counts().records, right as u64);
        prop_assert_eq!(whole.decoder.counts().notices.count(Notice::BadField), 0);
        prop_assert_eq!(whole.decoder.counts().notices.count(Notice::BadChecksum), 0);
        let parts = run(false, &log, size);
        prop_assert_eq!(&parts.events, &whole.events);
        prop_assert_eq!(parts.decoder.counts(), whole.decoder.counts());
        prop_assert_eq!(parts.decoder.order_texts(), whole.decoder.order_texts());
    }

    #[test]
    fn damage_does_not_panic(
        (mut log, _) in logs(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        size in 1..70_usize,
    ) {
        prop_assume!(!log.is_empty());
        for (at, value) in damage {
            let at = at.index(log.len());
            log[at] = value;
        }
        let whole = run(false, &log, log.len());
        let parts = run(false, &log, size);
        prop_assert_eq!(whole.events, parts.events);
        prop_assert_eq!(whole.decoder.counts(), parts.decoder.counts());
        run(true, &log, size);
    }

    #[test]
    fn any_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        run(false, &bytes, 50);
        run(false, &[b"8=FIX.4.2\x019=40\x01", &bytes[..]].concat(), 50);
    }
}

#[test]
fn too_many_begins_within_a_message_are_no_message() {
    let holding = |begins: usize| {
        let text = "8=FIX.4.4|".repeat(begins);
        let message = new_order("a", &format!("|{text}58=x"));
        decode(&message.replace('\x01', "^A"))
    };
    let taken = holding(scan::NESTED_BEGINS_MAX);
    assert_eq!((taken.events.len(), met(&taken)), (1, vec![]));
    let refused = holding(scan::NESTED_BEGINS_MAX + 1);
    assert_eq!(refused.events.len(), 0);
    assert_eq!(met(&refused)[0].0, Notice::BadLength);
}
