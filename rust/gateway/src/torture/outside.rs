//! What must hold of what leaves the host and comes back: receipts, cold blocks, names of tiles,
//! and what witnesses are sent and answer.
//!
//! - What is accepted can be written in one way only; a block gives back the entries that it holds.
//! - A receipt that verifies under the sample's key holds an entry of the sample.
//! - A witness cosigns what the sample's key signed and nothing else, and its state comes back.

use cwts_audit::bundle::BundleId;
use cwts_audit::cold::{Block, seal};
use cwts_audit::line_key::WitnessSigner;
use cwts_audit::receipt::Receipt;
use cwts_audit::tile::TileId;
use cwts_audit::witness::{AddCheckpoint, Witness, cosignature};
use cwts_audit::{Checkpoint, MemStorage, Note, Published};

use super::{Outcome, samples};

pub(super) fn receipt(bytes: &[u8]) -> Result<Outcome, String> {
    let receipt = match Receipt::parse(bytes) {
        Ok(receipt) => receipt,
        Err(error) => return Ok(Outcome::refused(error.to_string())),
    };
    if receipt.encode().as_bytes() != bytes {
        return Err("the receipt is written in another way".to_owned());
    }
    let Some(keys) = samples::keys() else { return Err("no keys".to_owned()) };
    match receipt.verify(&[keys.signing.verify_key().clone()]) {
        // What the sample signed has these entries and its CLOSE, which stands behind them.
        Ok(entry) => {
            let index = usize::try_from(receipt.index).unwrap_or(usize::MAX);
            let ours = samples::entries();
            if index < ours.len() && ours[index] != entry || index > ours.len() {
                return Err(format!("forged: entry {index}"));
            }
            Ok(Outcome::accepted(format!("entry {index}")))
        }
        Err(error) => Ok(Outcome::refused(error.to_string())),
    }
}

pub(super) fn receipt_seeds() -> Vec<Vec<u8>> {
    let storage = MemStorage::from_image(samples::closed_log().clone());
    let Ok(log) = Published::read(&storage) else { return Vec::new() };
    let one = |index| Some(log.receipt(index).ok()?.encode().into_bytes());
    [1, 11, samples::entries().len() as u64].into_iter().filter_map(one).collect()
}

/// As it is, and with the right checksum in it: else no change would get past the checksum.
pub(super) fn block(bytes: &[u8]) -> Result<Outcome, String> {
    let mut mended = bytes.to_vec();
    seal(&mut mended);
    let mut outcome = Outcome::refused(String::new());
    for bytes in [bytes, &mended] {
        match Block::decode(bytes) {
            Ok(block) => {
                if Block::decode(&block.encode()).as_ref() != Ok(&block) {
                    return Err("the block does not come back".to_owned());
                }
                outcome = Outcome::accepted(format!("{} from {}", block.count(), block.first()));
            }
            Err(error) if !outcome.accepted => outcome = Outcome::refused(error.to_string()),
            Err(_) => {}
        }
    }
    Ok(outcome)
}

pub(super) fn block_seeds() -> Vec<Vec<u8>> {
    let of = |first, entries: &[Vec<u8>]| {
        let mut block = Block::new(first);
        entries.iter().try_for_each(|entry| block.push(entry)).ok()?;
        Some(block.encode())
    };
    let ours = samples::entries();
    let opaque = [vec![], vec![7; 300], b"no entry of ours".to_vec()];
    [of(0, ours), of(11, &ours[11..13]), of(1 << 40, &opaque)].into_iter().flatten().collect()
}

pub(super) fn tile_name(bytes: &[u8]) -> Result<Outcome, String> {
    let Ok(text) = str::from_utf8(bytes) else { return Ok(Outcome::refused("not UTF-8")) };
    let (tile, bundle) = (TileId::parse(text), BundleId::parse(text));
    let names = [tile.map(|tile| tile.path()), bundle.map(|bundle| bundle.path())];
    match names {
        [None, None] => Ok(Outcome::refused("no name")),
        [Some(_), Some(_)] => Err("it names a tile and a bundle".to_owned()),
        [Some(name), None] | [None, Some(name)] if name == text => Ok(Outcome::accepted(name)),
        [name, other] => Err(format!("it is written {name:?} {other:?}")),
    }
}

pub(super) fn tile_name_seeds() -> Vec<Vec<u8>> {
    ["tile/0/000", "tile/1/x001/x234/067.p/3", "tile/entries/x001/000", "tile/entries/000.p/255"]
        .map(|name| name.as_bytes().to_vec())
        .to_vec()
}

/// As a request to a witness, as what it answers, and as its state.
pub(super) fn witness(bytes: &[u8]) -> Result<Outcome, String> {
    let (Some(asked), Some(note)) = (a_witness(), signed_note()) else {
        return Err("no sample".to_owned());
    };
    if let Some(state) = restored(bytes) {
        let same = state.as_bytes() == bytes;
        return if same { Ok(Outcome::accepted("state")) } else { Err("another state".to_owned()) };
    }
    if cosignature(&note, bytes, &asked.verify_key()).is_ok() {
        return Ok(Outcome::accepted("answer"));
    }
    if let Ok(request) = AddCheckpoint::parse(bytes)
        && request.encode().as_bytes() != bytes
    {
        return Err("the request is written in another way".to_owned());
    }
    match asked.judge(bytes, SECONDS) {
        Ok(cosigned) => {
            let line = cosigned.line();
            if cosignature(&note, line.as_bytes(), &asked.verify_key()).is_err() {
                return Err("it cosigned what the sample's key did not sign".to_owned());
            }
            Ok(Outcome::accepted("request"))
        }
        Err(refusal) => Ok(Outcome::refused(refusal.to_string())),
    }
}

pub(super) fn witness_seeds() -> Vec<Vec<u8>> {
    let made = || {
        let (asked, note) = (a_witness()?, signed_note()?);
        let checkpoint = Checkpoint::parse(&note.text).ok()?;
        let request = AddCheckpoint { old: 0, proof: vec![], note, checkpoint };
        let cosigned = asked.judge(request.encode().as_bytes(), SECONDS).ok()?;
        let later = AddCheckpoint { old: 3, proof: vec![[7; 32]; 2], ..request.clone() };
        let texts =
            [request.encode(), asked.state_with(&cosigned), cosigned.line(), later.encode()];
        Some(texts.map(String::into_bytes).to_vec())
    };
    made().unwrap_or_default()
}

fn a_witness() -> Option<Witness> {
    let log = samples::keys()?.signing.verify_key().clone();
    Witness::new(signer()?, vec![log]).ok()
}

fn restored(state: &[u8]) -> Option<String> {
    Some(Witness::restore(signer()?, Vec::new(), state).ok()?.state())
}

fn signer() -> Option<WitnessSigner> {
    WitnessSigner::from_seed("witness.example/w1", &[4; 32]).ok()
}

fn signed_note() -> Option<Note> {
    Note::parse(samples::closed_log().get("checkpoint")?).ok()
}

const SECONDS: u64 = 1_795_000_000;
pub(super) const WITNESS_TOKENS: &[&[u8]] = &[b"old ", b"\n\n", b"=", b"\xe2\x80\x94 "];
pub(super) const TILE_NAME_TOKENS: &[&[u8]] = &[b"tile/", b"entries/", b".p/", b"x000/", b"63/"];
pub(super) const RECEIPT_TOKENS: &[&[u8]] =
    &[b"extra ", b"index ", b"\n\n", b"=", b"\xe2\x80\x94 "];
