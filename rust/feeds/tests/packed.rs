//! Every packing of one text gives the same events, and a damaged packing is a typed error.
#![allow(clippy::unwrap_used, reason = "a test's own set-up may panic")]

mod common;

use common::{Dribble, decode, decode_bytes, gzip, xz, zip, zstd};
use cwts_feeds::compress::{Compression, RATIO_FREE_BYTES};
use cwts_feeds::error::FeedErrorKind;
use cwts_feeds::source::{Input, OpenOptions};
use std::io::{self, Read};

fn text() -> Vec<u8> {
    (0..5_000_u64)
        .flat_map(|at| {
            format!(
                "{}.{:09},1,{at},{},{},1\n",
                34_200 + at,
                at * 7,
                at % 90 + 1,
                1_000_000 + at * 13
            )
            .into_bytes()
        })
        .collect()
}

fn packings(text: &[u8]) -> Vec<(Compression, Vec<u8>)> {
    vec![
        (Compression::None, text.to_vec()),
        (Compression::Gzip, gzip(text)),
        (Compression::Gzip, [gzip(&text[..100]), gzip(&text[100..])].concat()),
        (Compression::Zstd, zstd(text)),
        (Compression::Zstd, [zstd(&text[..100]), zstd(&text[100..])].concat()),
        (Compression::Xz, xz(text)),
        (Compression::Zip, zip(&[text], true, false)),
        (Compression::Zip, zip(&[text], true, true)),
        (Compression::Zip, zip(&[text], false, false)),
    ]
}

#[test]
fn every_packing_gives_the_same_events_and_hash() {
    let text = text();
    let plain = decode_bytes(&text);
    assert_eq!((plain.error.clone(), plain.events.len()), (None, 5_000));
    for (compression, packed) in packings(&text) {
        for input in [
            Input::Bytes(&packed),
            Input::Stream(Box::new(&packed[..])),
            Input::File(Box::new(io::Cursor::new(packed.clone()))),
        ] {
            let decoded = decode(input, None, &OpenOptions::default());
            assert_eq!(decoded.error, None, "{compression:?}");
            assert!(decoded.events == plain.events, "{compression:?}");
            let (facts, wanted) = (decoded.facts.unwrap(), plain.facts.unwrap());
            assert_eq!((facts.sha256, facts.bytes), (wanted.sha256, wanted.bytes));
            assert_eq!((facts.compression, facts.packed_bytes), (compression, packed.len() as u64));
        }
    }
}

#[test]
fn a_cut_packing_is_truncated_and_its_events_are_a_prefix() {
    let text = text();
    let whole = decode_bytes(&text).events;
    for (compression, packed) in packings(&text).into_iter().skip(1) {
        for cut in (8..packed.len()).step_by(97).chain(packed.len() - 1..packed.len()) {
            let part = decode_bytes(&packed[..cut]);
            assert!(whole.starts_with(&part.events), "{compression:?} cut at {cut}");
            let Some(error) = part.error else {
                // Two members or frames: the cut may fall exactly between them.
                assert!(packed[cut..].starts_with(&packed[..2]), "{compression:?} cut at {cut}");
                continue;
            };
            assert_eq!(
                error.kind,
                FeedErrorKind::Truncated,
                "{compression:?} cut at {cut}: {error}"
            );
            assert_eq!(error.offset, cut as u64, "{compression:?}: {error}");
        }
    }
}

#[test]
fn a_flipped_bit_never_passes() {
    let text = text();
    let whole = decode_bytes(&text).events;
    for (compression, packed) in packings(&text).into_iter().skip(1) {
        for at in (12..packed.len()).step_by(211) {
            let mut bad = packed.clone();
            bad[at] ^= 1;
            let decoded = decode_bytes(&bad);
            let harmless = decoded.error.is_none() && decoded.events == whole;
            // A name, a date or a directory entry of the archive is not content.
            assert!(decoded.error.is_some() || harmless, "{compression:?} bit at {at}");
        }
    }
}

#[test]
fn bombs_stop_at_the_ratio_and_at_the_cap() {
    let zeros = vec![b'0'; 4 * RATIO_FREE_BYTES as usize];
    let mut options = OpenOptions::default();
    for packed in [zstd(&zeros), gzip(&zeros), zip(&[&zeros], true, false)] {
        let error =
            decode(Input::Bytes(&packed), Some(cwts_feeds::sniff::Format::Lobster), &options).error;
        // The endless line is refused first; as a CSV of short rows only the ratio is left.
        assert_eq!(error.unwrap().kind, FeedErrorKind::LineTooLong);
    }
    let row = b"34200.5,1,1,1,1000000,1\n";
    let rows = row.repeat(4 * RATIO_FREE_BYTES as usize / row.len());
    let packed = zstd(&rows);
    assert!(rows.len() / packed.len() > 1_000, "zstd packs these rows beyond the ratio");
    let decoded = decode(Input::Bytes(&packed), None, &options);
    assert_eq!(decoded.error.unwrap().kind, FeedErrorKind::RatioTooHigh);
    assert!(decoded.events.len() * row.len() <= RATIO_FREE_BYTES as usize + (2 << 20));
    options.max_bytes = 10_000;
    for packed in [gzip(&text()), xz(&text()), text()] {
        let error = decode(Input::Bytes(&packed), None, &options).error.unwrap();
        assert_eq!(error.kind, FeedErrorKind::OutputTooLarge, "{error}");
    }
}

#[test]
fn an_archive_of_two_is_refused() {
    let error = decode_bytes(&zip(&[b"34200.5,1,1,1,1,1\n", b"x"], true, false)).error.unwrap();
    assert_eq!(error.kind, FeedErrorKind::Corrupt);
    assert!(error.detail.contains("second member"), "{error}");
}

#[test]
fn an_xz_that_wants_too_much_memory_is_refused() {
    // A stream with a 1.5 GiB dictionary: the decoder must not even try.
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
    options.dict_size(256 << 20);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let stream =
        liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32)
            .unwrap();
    let mut packed = Vec::new();
    liblzma::bufread::XzEncoder::new_stream(&text()[..], stream).read_to_end(&mut packed).unwrap();
    let error = decode_bytes(&packed).error.unwrap();
    assert_eq!(error.kind, FeedErrorKind::Corrupt, "{error}");
}

/// Three rows, then an error.
struct Broken(&'static [u8]);

impl Read for Broken {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self.0.read(space)? {
            0 => Err(io::Error::other("disk gone")),
            count => Ok(count),
        }
    }
}

#[test]
fn a_reader_that_fails_is_told_apart_and_keeps_the_prefix() {
    let decoded = decode(
        Input::Stream(Box::new(Broken(b"34200.5,1,1,1,1000000,1\n1.5,1,1,1,1,1\n2.5,1,1,1,1,1\n"))),
        None,
        &OpenOptions::default(),
    );
    let error = decoded.error.unwrap();
    assert_eq!((error.kind, decoded.events.len()), (FeedErrorKind::IoFailed, 3));
    assert!(error.detail.contains("disk gone"));
}

#[test]
fn no_bytes_are_an_error_of_their_own() {
    for (format, packed) in [
        (None, Vec::new()),
        (Some(cwts_feeds::sniff::Format::Csv), Vec::new()),
        (None, gzip(b"")),
        (None, zstd(b"")),
    ] {
        let error = decode(Input::Bytes(&packed), format, &OpenOptions::default()).error.unwrap();
        assert_eq!(error.kind, FeedErrorKind::EmptyInput);
    }
}

#[test]
fn what_a_file_may_be_does_not_depend_on_how_it_is_opened() {
    let bytes = b"PAR1\n8=FIX.4.4|9=65|35=D|";
    let inputs = [
        Input::Bytes(bytes),
        Input::Stream(Box::new(Dribble(bytes, 3))),
        Input::File(Box::new(io::Cursor::new(bytes.to_vec()))),
    ];
    for input in inputs {
        let error = decode(input, None, &OpenOptions::default()).error.unwrap();
        assert_eq!(error.kind, FeedErrorKind::AmbiguousFormat, "{error}");
    }
}
