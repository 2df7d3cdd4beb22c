//! One part in a key ceremony: secrets stay in files and in this process's core, messages pass.

use std::path::{Path, PathBuf};

use cwts_gateway::{hex, new_secret, random_32, read_secret, replace_secret, wipe_secret};
use cwts_threshold as bls;
use cwts_threshold::ceremony::{
    Ceremony as Machine, CeremonyError, CeremonyKind, CeremonyRole, Effect, Identity, Info, Input,
    MemberKeys, Output, Party, Previous, Status, Terms, verify_transcript,
};
use cwts_threshold::{FileError, Lock, SeedFile, ShareFile};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use pyo3::create_exception;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::convert::to_py;
use crate::error::Error;
use crate::threshold::{Share, Sharing, ThresholdError, seed};

create_exception!(
    cwts._core,
    CeremonyFailedError,
    ThresholdError,
    "A ceremony's terms, keys, files or transcript are refused; `code` says why."
);

/// What a member signs when it joins: the terms that it read, and its keys for them.
const ENROL_DOMAIN: &[u8] = b"cwts/ceremony-enrol/v1\0";
const VOTE_FILE: &str = "vote.key";
const LOCK_FILE: &str = "share.key";

fn refused(code: &str, message: String) -> Error {
    let raised = CeremonyFailedError::new_err(message);
    // An attribute on a fresh exception object cannot fail but for lack of memory.
    Python::attach(|py| {
        let _ = raised.value(py).setattr("code", code);
    });
    raised.into()
}

impl From<CeremonyError> for Error {
    fn from(error: CeremonyError) -> Self {
        refused(error.code(), error.to_string())
    }
}

fn of_file(path: &Path) -> impl Fn(FileError) -> Error + '_ {
    move |error| refused(error.code(), format!("{}: {error}", path.display()))
}

fn array<const N: usize>(field: &str, bytes: &[u8]) -> Result<[u8; N], Error> {
    bytes
        .try_into()
        .map_err(|_| refused("FIELD", format!("{field}: {} bytes, {N} are needed", bytes.len())))
}

/// A member's folder: its vote key, what locks its share, and the seed of a ceremony under way.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct MemberSecrets {
    folder: PathBuf,
    vote: SigningKey,
    lock: Zeroizing<Vec<u8>>,
    is_passphrase: bool,
}

impl MemberSecrets {
    fn lock(&self) -> Result<Lock<'_>, Error> {
        if self.is_passphrase {
            return Ok(Lock::Passphrase(&self.lock));
        }
        let key: &[u8; 32] =
            self.lock.as_slice().try_into().map_err(|_| {
                refused("FILE_UNREADABLE", format!("{LOCK_FILE}: is not of 32 bytes"))
            })?;
        Ok(Lock::Key(key))
    }

    fn seed_path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("seed-{number}.cwts"))
    }

    fn share_path(&self, epoch: u64) -> PathBuf {
        self.folder.join(format!("share-{epoch}.cwts"))
    }

    /// The seed of a ceremony; made and on disk before this returns, if there is none.
    fn seed(&self, chain: [u8; 32], number: u64) -> Result<bls::Seed, Error> {
        let path = self.seed_path(number);
        let file = SeedFile { chain, number };
        if !path.exists() {
            let fresh = seed()?;
            let (salt, nonce) = salts()?;
            let sealed = file.seal(&fresh, self.lock()?, &salt, &nonce).map_err(of_file(&path))?;
            new_secret(&path, &sealed)?;
        }
        file.open(&read_file(&path)?, self.lock()?).map_err(of_file(&path))
    }

    /// The share of an output, if this member has it.
    fn share_of(&self, output: &Output) -> Result<Option<bls::Share>, Error> {
        let path = self.share_path(output.epoch());
        if !path.exists() {
            return Ok(None);
        }
        let opened = ShareFile::open(&read_file(&path)?, self.lock()?).map_err(of_file(&path))?;
        opened.0.check(&opened.1, output).map_err(of_file(&path))?;
        Ok(Some(opened.1))
    }
}

fn salts() -> Result<([u8; 16], [u8; 12]), Error> {
    let random = random_32()?;
    let (mut salt, mut nonce) = ([0; 16], [0; 12]);
    salt.copy_from_slice(&random[..16]);
    nonce.copy_from_slice(&random[16..28]);
    Ok((salt, nonce))
}

/// A sealed file of one length.
fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    Ok(read_secret(path, bls::SECRET_FILE_BYTES)?)
}

#[pymethods]
impl MemberSecrets {
    /// The secrets in a folder. Without a passphrase its `share.key` locks the share.
    #[new]
    #[pyo3(signature = (folder, passphrase=None))]
    fn new(folder: PathBuf, passphrase: Option<Vec<u8>>) -> Result<Self, Error> {
        let vote = read_secret(&folder.join(VOTE_FILE), 32)?;
        let vote = SigningKey::from_bytes(&array(VOTE_FILE, &vote)?);
        let is_passphrase = passphrase.is_some();
        let lock = match passphrase {
            Some(phrase) => Zeroizing::new(phrase),
            None => read_secret(&folder.join(LOCK_FILE), 32)?,
        };
        Ok(Self { folder, vote, lock, is_passphrase })
    }

    /// Makes the secrets of a new member in a folder that has none.
    #[staticmethod]
    #[pyo3(signature = (folder, passphrase=None))]
    fn create(folder: PathBuf, passphrase: Option<Vec<u8>>) -> Result<Self, Error> {
        new_secret(&folder.join(VOTE_FILE), &*random_32()?)?;
        if passphrase.is_none() {
            new_secret(&folder.join(LOCK_FILE), &*random_32()?)?;
        }
        Self::new(folder, passphrase)
    }

    /// The public key of its messages.
    #[getter]
    fn vote<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.vote.verifying_key().to_bytes())
    }

    /// Its keys for a ceremony, and its signature over them and the terms.
    fn enrol<'py>(
        &self,
        py: Python<'py>,
        chain: &[u8],
        number: u64,
        terms: &[u8],
    ) -> Result<(Bound<'py, PyBytes>, Bound<'py, PyBytes>), Error> {
        let chain = array("chain", chain)?;
        let seed = py.detach(|| self.seed(chain, number))?;
        let keys = Identity::derive(&seed, &self.vote, chain, number)?.keys().to_bytes();
        let signature = self.vote.sign(&[ENROL_DOMAIN, terms, &keys].concat()).to_bytes();
        Ok((PyBytes::new(py, &keys), PyBytes::new(py, &signature)))
    }

    /// This member's part in a ceremony.
    #[pyo3(signature = (info, previous=None))]
    fn ceremony(
        &self,
        py: Python<'_>,
        info: Vec<u8>,
        previous: Option<Vec<u8>>,
    ) -> Result<Ceremony, Error> {
        let info = Info::parse(&info)?;
        let seed = py.detach(|| self.seed(info.chain(), info.number()))?;
        let previous = match previous {
            Some(bytes) => {
                let output = Output::parse(&bytes)?;
                let share = py.detach(|| self.share_of(&output))?;
                Some(Previous { output, share })
            }
            None => None,
        };
        let (role, vote) = (CeremonyRole::Member, self.vote.clone());
        Ok(Ceremony(Machine::new(role, info, seed, vote, previous)?))
    }

    /// The sequencer's part.
    #[pyo3(signature = (info, previous=None))]
    fn sequencer(&self, info: Vec<u8>, previous: Option<Vec<u8>>) -> Result<Ceremony, Error> {
        let previous = match previous {
            Some(bytes) => Some(Previous { output: Output::parse(&bytes)?, share: None }),
            None => None,
        };
        let seed = seed()?;
        let (role, vote) = (CeremonyRole::Sequencer, self.vote.clone());
        Ok(Ceremony(Machine::new(role, Info::parse(&info)?, seed, vote, previous)?))
    }

    /// Puts a share on disk, sealed, and checks what was written.
    fn keep_share(&self, py: Python<'_>, output: Vec<u8>, share: &Share) -> Result<(), Error> {
        let output = Output::parse(&output)?;
        let path = self.share_path(output.epoch());
        py.detach(|| {
            let (salt, nonce) = salts()?;
            let file = ShareFile::of(&output, &share.0);
            let sealed = file.seal(&share.0, self.lock()?, &salt, &nonce);
            replace_secret(&path, &sealed.map_err(of_file(&path))?)?;
            self.share_of(&output).map(drop)
        })
    }

    /// The share of an output, checked against it; none if it is not here.
    fn share(&self, py: Python<'_>, output: Vec<u8>) -> Result<Option<Share>, Error> {
        let output = Output::parse(&output)?;
        Ok(py.detach(|| self.share_of(&output))?.map(Share))
    }

    /// Overwrites and removes the share of an epoch that is over, and the seed of a ceremony.
    fn wipe(&self, epoch: u64, number: u64) -> Result<(), Error> {
        wipe_secret(&self.share_path(epoch))?;
        Ok(wipe_secret(&self.seed_path(number))?)
    }
}

/// One part in a ceremony: inputs in, effects out.
#[pyclass(module = "cwts._core")]
pub(crate) struct Ceremony(Machine);

#[pymethods]
impl Ceremony {
    /// Takes an input: `start`, `delivered`, `heard`, `timeout` or `give_up`. Gives effects in
    /// their order, each a name and what belongs to it.
    #[pyo3(signature = (now_ns, word, data=None, pos=0))]
    fn step<'py>(
        &mut self,
        py: Python<'py>,
        now_ns: u64,
        word: &str,
        data: Option<Vec<u8>>,
        pos: u64,
    ) -> Result<Vec<(&'static str, Bound<'py, PyAny>)>, Error> {
        let bytes = data.unwrap_or_default();
        let input = match word {
            "start" => Input::Start,
            "delivered" => Input::Delivered { pos, bytes: &bytes },
            "heard" => Input::Heard { bytes: &bytes },
            "timeout" => Input::Timeout,
            "give_up" => Input::GiveUp,
            _ => return Err(refused("FIELD", format!("word: {word:?} is no input"))),
        };
        let mut effects = Vec::new();
        let machine = &mut self.0;
        py.detach(|| machine.step(now_ns, input, &mut effects));
        effects.into_iter().map(|effect| effect_to_py(py, effect)).collect()
    }

    /// Refuses a message that is not worth a place in the list.
    fn admit(&self, message: &[u8]) -> Result<(), Error> {
        self.0.admit(message).map_err(|why| refused("REFUSED", format!("the message {why}")))
    }

    /// The place of the next entry.
    #[getter]
    fn next_pos(&self) -> u64 {
        self.0.next_pos()
    }

    /// Who did what so far: phase, count, need, a row of cells a dealer, who is out.
    fn progress<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let progress = self.0.progress();
        let cell = |cell: &_| format!("{cell:?}").to_lowercase();
        let rows: Vec<Vec<String>> =
            progress.cells.iter().map(|row| row.iter().map(cell).collect()).collect();
        let faults: Vec<Value> = self.0.faults().iter().map(fault_row).collect();
        let missing: Vec<String> = self.0.missing().iter().copied().map(party_text).collect();
        to_py(
            py,
            &json!({
                "phase": format!("{:?}", progress.phase).to_lowercase(),
                "have": progress.count.0, "need": progress.count.1, "cells": rows,
                "disqualified": progress.disqualified, "faults": faults, "missing": missing,
            }),
        )
    }

    /// What anyone needs to judge the ceremony again.
    fn transcript<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.transcript())
    }
}

fn party_text(party: Party) -> String {
    match party {
        Party::Dealer(index) => format!("dealer {index}"),
        Party::Player(index) => format!("player {index}"),
        Party::Sequencer => "sequencer".to_owned(),
    }
}

fn fault_row(fault: &cwts_threshold::ceremony::Fault) -> Value {
    json!({
        "member": party_text(fault.member), "kind": fault.kind.code(),
        "messages": fault.proof.len(),
    })
}

fn effect_to_py(py: Python<'_>, effect: Effect) -> Result<(&'static str, Bound<'_, PyAny>), Error> {
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes).into_any();
    Ok(match effect {
        Effect::PersistSeed => ("persist_seed", py.None().into_bound(py)),
        Effect::PersistList { entries } => {
            ("persist_list", entries.into_pyobject(py).map_err(PyErr::from)?.into_any())
        }
        Effect::Submit(message) => ("submit", bytes(&message)),
        Effect::Append { pos, bytes: message } => {
            ("append", (pos, bytes(&message)).into_pyobject(py)?.into_any())
        }
        Effect::Broadcast(message) => ("broadcast", bytes(&message)),
        Effect::Status(status) => ("status", to_py(py, &status_row(&status))?),
        Effect::Activated { output, certificate, share } => {
            let share = share.map(|share| Py::new(py, Share(share))).transpose()?;
            let made = (bytes(&output.to_bytes()), bytes(&certificate.to_bytes()), share);
            ("activated", made.into_pyobject(py)?.into_any())
        }
        Effect::WipeOld => ("wipe_old", py.None().into_bound(py)),
        Effect::Failed { cause, faults, missing } => {
            let faults: Vec<Value> = faults.iter().map(fault_row).collect();
            let missing: Vec<String> = missing.into_iter().map(party_text).collect();
            let row = json!({"cause": cause.code(), "faults": faults, "missing": missing});
            ("failed", to_py(py, &row)?)
        }
    })
}

fn status_row(status: &Status) -> Value {
    match status {
        Status::Accepted { pos, kind, party } => {
            json!({"what": "accepted", "pos": pos, "message": kind.name(),
                   "party": party_text(*party)})
        }
        Status::Refused { pos, why } => {
            json!({"what": "refused", "pos": pos, "why": format!("the message {why}")})
        }
        Status::Gap { want, got } => json!({"what": "gap", "want": want, "got": got}),
        Status::Entered { phase, after_ns } => {
            json!({"what": "entered", "phase": format!("{phase:?}").to_lowercase(),
                   "after_ns": after_ns})
        }
        Status::Faulted(fault) => json!({"what": "faulted", "fault": fault_row(fault)}),
        other => json!({"what": "waiting", "detail": format!("{other:?}")}),
    }
}

/// The information of a ceremony out of its terms and the keys that members enrolled with.
#[pyfunction]
#[pyo3(signature = (*, kind, chain, number, old_epoch, previous, sequencer, dealers, players))]
#[expect(clippy::too_many_arguments, reason = "the fields of a record, by keyword")]
pub(crate) fn ceremony_info<'py>(
    py: Python<'py>,
    kind: &str,
    chain: &[u8],
    number: u64,
    old_epoch: u64,
    previous: &[u8],
    sequencer: &[u8],
    dealers: Vec<Vec<u8>>,
    players: Vec<Vec<u8>>,
) -> Result<(Bound<'py, PyBytes>, Bound<'py, PyBytes>), Error> {
    let kinds = [CeremonyKind::New, CeremonyKind::Refresh, CeremonyKind::Reshare];
    let kind = kinds.into_iter().find(|known| known.name() == kind);
    let kind = kind.ok_or_else(|| refused("FIELD", "kind: is none of a ceremony".to_owned()))?;
    let keys = |list: &[Vec<u8>]| -> Result<Vec<MemberKeys>, CeremonyError> {
        list.iter().map(|keys| MemberKeys::parse(keys)).collect()
    };
    let info = Info::new(Terms {
        kind,
        chain: array("chain", chain)?,
        number,
        old_epoch,
        previous: array("previous", previous)?,
        sequencer: array("sequencer", sequencer)?,
        dealers: keys(&dealers)?,
        players: keys(&players)?,
    })?;
    Ok((PyBytes::new(py, info.to_bytes()), PyBytes::new(py, &info.digest())))
}

/// Whether the keys that somebody enrolled with are signed by that vote key, for these terms.
#[pyfunction]
pub(crate) fn verify_enrolment(
    vote: &[u8],
    terms: &[u8],
    keys: &[u8],
    signature: &[u8],
) -> Result<bool, Error> {
    let vote: [u8; 32] = array("vote", vote)?;
    let signature = ed25519_dalek::Signature::from_bytes(&array("signature", signature)?);
    let message = [ENROL_DOMAIN, terms, keys].concat();
    let signed = VerifyingKey::from_bytes(&vote)
        .is_ok_and(|key| key.verify_strict(&message, &signature).is_ok());
    Ok(signed && MemberKeys::parse(keys)?.vote() == vote)
}

/// Keeps this process's memory from core dumps and from other processes of the same user.
#[pyfunction]
pub(crate) fn hide_memory() {
    cwts_gateway::hide_memory();
}

/// The keys that stand for a dealer who did not come and gets no share.
#[pyfunction]
pub(crate) fn absent_keys<'py>(
    py: Python<'py>,
    vote: &[u8],
    chain: &[u8],
    number: u64,
) -> Result<Bound<'py, PyBytes>, Error> {
    let keys = Identity::absent(array("vote", vote)?, array("chain", chain)?, number)?;
    Ok(PyBytes::new(py, &keys.to_bytes()))
}

/// What an output says; `sharing` is the committee's public polynomial.
#[pyfunction]
pub(crate) fn ceremony_output(
    py: Python<'_>,
    output: Vec<u8>,
) -> Result<(Bound<'_, PyAny>, Sharing), Error> {
    let output = Output::parse(&output)?;
    let row = output_row(&output);
    Ok((to_py(py, &row)?, Sharing(output.sharing().clone())))
}

fn output_row(output: &Output) -> Value {
    let committee = output.sharing().committee();
    json!({
        "kind": output.kind().name(), "chain": hex(&output.chain()),
        "number": output.number(), "epoch": output.epoch(), "n": committee.n(),
        "t": committee.t(), "key": hex(&output.sharing().key().to_bytes()),
        "digest": hex(&output.digest()), "info": hex(&output.info_digest()),
        "qualified": output.qualified(),
        "revealed": output.revealed(),
        "votes": output.votes().iter().map(|vote| hex(vote)).collect::<Vec<_>>(),
    })
}

/// Judges a ceremony from its transcript alone.
#[pyfunction]
pub(crate) fn judge_ceremony(
    py: Python<'_>,
    transcript: Vec<u8>,
) -> Result<Bound<'_, PyAny>, Error> {
    let found = py.detach(|| verify_transcript(&transcript))?;
    let faults: Vec<Value> = found.faults.iter().map(fault_row).collect();
    let missing: Vec<String> = found.missing.iter().copied().map(party_text).collect();
    let row = json!({
        "info": hex(&found.info.digest()),
        "phase": format!("{:?}", found.phase).to_lowercase(),
        "cause": found.cause.map(cwts_threshold::ceremony::Cause::code),
        "output": found.output.as_ref().map(output_row),
        "certificate": found.certificate.map(|one| hex(&one.to_bytes())),
        "faults": faults, "missing": missing,
    });
    Ok(to_py(py, &row)?)
}

/// The committee's key as the key of its lines on checkpoints.
#[pyfunction]
pub(crate) fn committee_vkey(name: &str, key: &[u8]) -> Result<String, Error> {
    let key = cwts_audit::line_key::CommitteeKey::from_bytes(name, key);
    Ok(key.map_err(cwts_gateway::GatewayError::from)?.to_string())
}
