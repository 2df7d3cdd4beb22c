//! A format that the caller names is believed, but not against every byte of the input.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use cwts_feeds::error::{FeedError, FeedErrorKind};
use cwts_feeds::sniff::Format;
use cwts_feeds::source::{EventSource as _, Input, OpenOptions, open_events};

fn refused(bytes: &[u8], format: Format) -> FeedError {
    let mut out = Vec::new();
    let opened = open_events(Input::Bytes(bytes), Some(format), &OpenOptions::default());
    let mut source = match opened {
        Ok(source) => source,
        Err(error) => return error,
    };
    loop {
        match source.next_batch(&mut out) {
            Ok(true) => {}
            Ok(false) => panic!("{} took {}", format.name(), bytes.escape_ascii()),
            Err(error) => return error,
        }
    }
}

const CSV: &[u8] = b"ts,kind,order_id,side,qty,price\n1,add,1,buy,1,1\n2,add,2,buy,1,1\n";

#[test]
fn what_skips_the_unknown_must_know_something() {
    let garbled = b"8=FIX.4.4\x019=20\x0135=D\x01\n";
    for bytes in [CSV, b"root:x:0:0:root:/root:/bin/sh\n", &[0; 4096], garbled] {
        let error = refused(bytes, Format::Fix);
        assert_eq!(error.kind, FeedErrorKind::UnknownFormat, "{error}");
        assert!(error.detail.contains("fix"), "{error}");
    }
    for bytes in [&[0; 4096][..], &[0, 0]] {
        let error = refused(bytes, Format::Itch);
        assert_eq!(error.kind, FeedErrorKind::UnknownFormat, "{error}");
    }
}

#[test]
fn what_is_not_dbn_has_no_schema() {
    for bytes in [CSV, &[0; 4096], b"D", b"DBX"] {
        let error = refused(bytes, Format::Dbn);
        assert!(!error.detail.contains("schema"), "{error}");
    }
    let error = refused(CSV, Format::Dbn);
    assert_eq!(error.kind, FeedErrorKind::UnsupportedFormat);
    assert!(error.detail.contains("is not DBN"), "{error}");
}
