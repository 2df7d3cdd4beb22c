//! What must hold of every parser of text: limits, numbers, notes and kill files.
//!
//! An error names a place within the text. What is accepted can be written in one way only, or
//! (limits, numbers) means the same to every reader of it.

use cwts_audit::holds::{
    KillRequest, KillSnapshot, encode_scopes, page_image, page_is_at_least, parse_scopes,
};
use cwts_audit::{Checkpoint, Note, VerifyKey};
use cwts_feeds::{decimal, rfc3339};
use cwts_risk::Engine;
use cwts_risk::limits;
use cwts_types::{KillState, format_e9, parse_decimal, parse_e9};

use super::Outcome;
use super::samples;
use crate::sha256_hex;

pub(super) fn limits(bytes: &[u8]) -> Result<Outcome, String> {
    let parsed = limits::utf8(bytes).and_then(limits::parse);
    let errors = match parsed {
        Ok(file) => {
            // What parses must also come into force, and out of a snapshot as it went in.
            let mut engine = Engine::new();
            engine.activate(1, bytes).map_err(|e| format!("parsed, and yet refused: {e}"))?;
            if *engine.limits() != file {
                return Err("what is in force is not what was parsed".to_owned());
            }
            let image = engine.snapshot();
            let again = Engine::restore(&image).map_err(|e| format!("not restored: {e}"))?;
            if again.snapshot() != image {
                return Err("the restored state is another".to_owned());
            }
            let (accounts, instruments) = (file.accounts.len(), file.instruments.len());
            return Ok(Outcome::accepted(format!(
                "{accounts} accounts, {instruments} instruments"
            )));
        }
        Err(errors) => errors.0,
    };
    let Some(first) = errors.first() else {
        return Err("refused without an error".to_owned());
    };
    let lines = bytes.split(|byte| *byte == b'\n').count();
    for error in &errors {
        if error.line == 0 || error.line > lines || error.column == 0 {
            return Err(format!("the error lies outside the {lines} lines: {error}"));
        }
    }
    Ok(Outcome::refused(format!("{} errors, first {first}", errors.len())))
}

pub(super) fn limits_seeds() -> Vec<Vec<u8>> {
    [
        samples::LIMITS,
        "schema = 1\nunlisted = \"off\"\n[replay]\nmapping = \"all\"\nreplace = \"apply\"\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The first byte is a scale; the rest is read as every kind of number.
pub(super) fn decimal(bytes: &[u8]) -> Result<Outcome, String> {
    let Some((&scale, text)) = bytes.split_first() else {
        return Ok(Outcome::refused("no scale"));
    };
    let scale = u32::from(scale % 20);
    let scaled = decimal::scaled(text, scale, "px");
    let unsigned = decimal::unsigned(text, "id");
    let day_ns = decimal::day_ns(text, "time");
    let epoch_ns = rfc3339::epoch_ns(text, "ts");
    if let (Ok(value), Ok(id)) = (decimal::scaled(text, 0, "id"), &unsigned)
        && i128::from(value) != i128::from(*id)
    {
        return Err(format!("signed it is {value}, unsigned {id}"));
    }
    if let Ok(ns) = day_ns
        && ns >= decimal::DAY_NS
    {
        return Err(format!("a time of day of {ns} ns"));
    }
    if let Ok(ns) = epoch_ns
        && rfc3339::epoch_ns(rfc3339::text_of(ns).as_bytes(), "ts") != Ok(ns)
    {
        return Err(format!("{ns} ns is written as another time"));
    }
    let mut said = format!("{scaled:?} {unsigned:?} {day_ns:?} {epoch_ns:?}");
    if let Ok(text) = str::from_utf8(text) {
        let wide = parse_decimal(text, scale);
        if let (Ok(one), Ok(two)) = (&scaled, &wide)
            && one != two
        {
            return Err(format!("to a feed it is {one}, to a limit {two}"));
        }
        if let Ok(value) = parse_e9(text)
            && parse_e9(&format_e9(value)) != Ok(value)
        {
            return Err(format!("{value} is written as another number"));
        }
        said += &format!(" {wide:?}");
    }
    let any = scaled.is_ok() || unsigned.is_ok() || day_ns.is_ok() || epoch_ns.is_ok();
    Ok(Outcome { accepted: any, said })
}

pub(super) fn decimal_seeds() -> Vec<Vec<u8>> {
    [
        "\x0985.25",
        "\x09-9223372036.854775808",
        "\x0018446744073709551615",
        "\x0434200.017459617123",
        "\x0986399.999999999",
        "\x092025-01-02T14:30:00.123456789Z",
        "\x092024-02-29T23:59:60+05:30",
        "\x131735828200000000000",
        "\x021_000.50",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(super) fn note(bytes: &[u8]) -> Result<Outcome, String> {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(key) = text.trim_end().parse::<VerifyKey>()
        && key.to_string() != text.trim_end()
    {
        return Err(format!("the key is written as {key}"));
    }
    let note = match Note::parse(bytes) {
        Ok(note) => note,
        Err(error) => return Ok(Outcome::refused(error.to_string())),
    };
    if note.encode().as_bytes() != bytes {
        return Err("the note is written in another way".to_owned());
    }
    let checkpoint = Checkpoint::parse(&note.text);
    if let Ok(checkpoint) = &checkpoint
        && checkpoint.encode() != note.text
    {
        return Err("the checkpoint is written in another way".to_owned());
    }
    let key = samples::keys().map(|keys| keys.signing.verify_key().clone());
    let signed = key.is_some_and(|key| note.check(&[key]).is_ok());
    // The key signs the sample's texts only: any other that it verifies would be forged.
    if signed && !samples::signed_texts().contains(&note.text) {
        return Err(format!("forged: {:?}", note.text));
    }
    Ok(Outcome::accepted(format!("signed {signed}, {checkpoint:?}")))
}

pub(super) fn note_seeds() -> Vec<Vec<u8>> {
    let image = samples::closed_log();
    ["checkpoint", "wal.head", "log.vkey"]
        .iter()
        .filter_map(|name| image.get(*name).cloned())
        .collect()
}

/// As it is, and with the right digest behind it: else no change would get past the digest.
pub(super) fn kill(bytes: &[u8]) -> Result<Outcome, String> {
    let body = bytes.len().checked_sub(SEAL_BYTES).map_or(bytes, |end| &bytes[..end]);
    let seal = format!("sha256 {}\n", sha256_hex(body));
    let sealed = [body, seal.as_bytes()].concat();
    let mut accepted = false;
    let mut said = String::new();
    for text in [bytes, &sealed] {
        let state = KillSnapshot::parse(text);
        let scopes = parse_scopes(text);
        let request = KillRequest::parse(text);
        let again = [
            state.as_ref().ok().map(KillSnapshot::encode),
            scopes.as_ref().ok().map(|scopes| encode_scopes(scopes)),
            request.as_ref().ok().map(KillRequest::encode),
        ];
        if again.iter().flatten().any(|again| again.as_bytes() != text) {
            return Err(format!("written in another way: {again:?}"));
        }
        if let Ok(state) = &state
            && !page_is_at_least(&state.page(), &state.page())
        {
            return Err("a state's page is laxer than itself".to_owned());
        }
        accepted |= again.iter().any(Option::is_some);
        said += &format!("{state:?} {scopes:?} {request:?} ");
    }
    let least = page_image(1, &[KillState::Halted]);
    if page_is_at_least(bytes, &least) {
        accepted = true;
        let epoch = bytes.get(16..24).map(<[u8]>::to_vec);
        said += &format!("a page of epoch {epoch:?}");
        if bytes.get(64) != Some(&(KillState::Halted as u8)) {
            return Err("a page counts as halted and is not".to_owned());
        }
    }
    Ok(Outcome { accepted, said })
}

pub(super) fn kill_seeds() -> Vec<Vec<u8>> {
    let image = samples::closed_log();
    let files = ["kill.page", "kill.state", "kill.scopes"];
    let mut seeds: Vec<Vec<u8>> =
        files.iter().filter_map(|name| image.get(*name).cloned()).collect();
    seeds.extend(samples::requests().iter().map(|request| request.encode().into_bytes()));
    // A page's halves of zeros hide the rest: one that is cut is refused sooner, and tried more.
    seeds.push(page_image(1, &[KillState::Halted]));
    seeds
}

/// `sha256 `, 64 digits, a line feed.
const SEAL_BYTES: usize = 72;

pub(super) const LIMITS_TOKENS: &[&[u8]] = &[
    b"\"none\"",
    b"[account.\"*\"]",
    b"[[account]]",
    b"= {",
    b"'''",
    b"\"\"\"",
    b"\\u0000",
    b"inf",
    b"1979-05-27T07:32:00Z",
    b"\"24h\"",
    b"\"18446744073709551615s\"",
    b"\"9223372036854775807\"",
    b"[instrument]",
    b"multiplier = 9223372036854775807",
    b"qty_decimals = 18",
    b"ticks = 9223372036854775807",
    b"\r\n",
];
pub(super) const DECIMAL_TOKENS: &[&[u8]] =
    &[b".", b"-", b"+", b"_", b"T", b"Z", b":60", b"+14:00", b"-00:00", b"0000000000", b"9999"];
pub(super) const NOTE_TOKENS: &[&[u8]] =
    &[b"\n\n", "\u{2014} ".as_bytes(), b"==", b"+", b"\n", b"AAAA", b"cwts.example/torture"];
pub(super) const KILL_TOKENS: &[&[u8]] = &[
    b"hold ",
    b"kind resume\n",
    b"scope firm firm\n",
    b"%",
    b"%00",
    b"%25",
    b" 18446744073709551615",
    b" 4294967295",
    b"cwts kill state v1\n",
    b"CWTSKILL",
];
