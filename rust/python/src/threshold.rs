//! Threshold BLS: keys, shares and partials as opaque objects, signatures as bytes.
//!
//! A secret leaves this file in no form: no `repr`, no copy, no pickle, no comparison.

use cwts_gateway::random_32;
use cwts_threshold as bls;
use pyo3::create_exception;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{CwtsError, Error};

create_exception!(
    cwts._core,
    ThresholdError,
    CwtsError,
    "A key, a share, an index or a set of partials is refused; `code` says why."
);
create_exception!(
    cwts._core,
    EncodingError,
    ThresholdError,
    "Bytes that are no key, signature, share or scalar."
);
create_exception!(
    cwts._core,
    NotEnoughSharesError,
    ThresholdError,
    "Too few good partials; `have`, `need` and `blamed` say how many and whose are bad."
);

impl From<bls::Error> for Error {
    fn from(error: bls::Error) -> Self {
        Python::attach(|py| raise(py, &error)).into()
    }
}

fn raise(py: Python<'_>, error: &bls::Error) -> PyErr {
    let message = error.to_string();
    let raised = match error {
        bls::Error::Encoding { .. } => EncodingError::new_err(message),
        bls::Error::NotEnoughShares { .. } => NotEnoughSharesError::new_err(message),
        _ => ThresholdError::new_err(message),
    };
    // Attributes on a fresh exception object cannot fail but for lack of memory.
    let value = raised.value(py);
    let _ = value.setattr("code", error.code());
    if let bls::Error::NotEnoughShares { have, need, blamed } = error {
        let _ = value.setattr("have", have);
        let _ = value.setattr("need", need);
        let _ = value.setattr("blamed", blamed.clone());
    }
    raised
}

pub(crate) fn seed() -> Result<bls::Seed, Error> {
    let mut bytes = random_32()?;
    Ok(bls::Seed::take(&mut bytes))
}

fn batch_secret() -> Result<bls::BatchSecret, Error> {
    Ok(bls::BatchSecret::new(*random_32()?))
}

/// A secret key; nothing shows it.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct SecretKey(bls::SecretKey);

#[pymethods]
impl SecretKey {
    /// Reads 32 bytes, big-endian, from 1 to the group's order.
    #[new]
    fn new(value: &[u8]) -> Result<Self, Error> {
        Ok(Self(bls::SecretKey::parse(value)?))
    }

    /// A new key, of the system's randomness.
    #[staticmethod]
    fn generate() -> Result<Self, Error> {
        Ok(Self(bls::SecretKey::generate(&seed()?)))
    }

    fn public_key(&self, py: Python<'_>) -> PublicKey {
        PublicKey(py.detach(|| self.0.public_key()))
    }
}

/// A checked key: a point of G2 in the subgroup.
#[pyclass(frozen, eq, module = "cwts._core")]
#[derive(PartialEq)]
pub(crate) struct PublicKey(bls::PublicKey);

#[pymethods]
impl PublicKey {
    /// Reads 96 bytes.
    #[new]
    fn new(value: &[u8]) -> Result<Self, Error> {
        Ok(Self(bls::PublicKey::parse(value)?))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    fn __hash__(&self) -> u64 {
        hash_of(&self.0.to_bytes())
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// One member's share; nothing shows it.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Share(pub(crate) bls::Share);

#[pymethods]
impl Share {
    /// The member, from 1.
    #[getter]
    fn index(&self) -> u16 {
        self.0.index()
    }

    /// The epoch in which it signs.
    #[getter]
    fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    fn __repr__(&self) -> String {
        format!("Share(index={}, epoch={})", self.0.index(), self.0.epoch())
    }
}

/// One member's part of a signature, not checked.
#[pyclass(frozen, eq, module = "cwts._core")]
#[derive(PartialEq)]
pub(crate) struct Partial(bls::Partial);

#[pymethods]
impl Partial {
    /// Reads 48 bytes; the index is the authenticated sender's.
    #[new]
    fn new(value: &[u8], index: u16, epoch: u64) -> Result<Self, Error> {
        Ok(Self(bls::Partial::parse(value, index, epoch)?))
    }

    #[getter]
    fn index(&self) -> u16 {
        self.0.index()
    }

    #[getter]
    fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    fn __hash__(&self) -> u64 {
        hash_of(&self.0.to_bytes())
    }

    fn __repr__(&self) -> String {
        format!("Partial(index={}, epoch={})", self.0.index(), self.0.epoch())
    }
}

/// A committee's public polynomial.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Sharing(pub(crate) bls::Sharing);

#[pymethods]
impl Sharing {
    /// Reads t commitments of 96 bytes each.
    #[new]
    #[pyo3(signature = (commitments, *, n, t, epoch))]
    fn new(
        py: Python<'_>,
        commitments: Vec<u8>,
        n: u16,
        t: u16,
        epoch: u64,
    ) -> Result<Self, Error> {
        let committee = bls::Committee::new(n, t, epoch)?;
        Ok(Self(py.detach(|| bls::Sharing::parse(committee, &commitments))?))
    }

    #[getter]
    fn n(&self) -> u16 {
        self.0.committee().n()
    }

    #[getter]
    fn t(&self) -> u16 {
        self.0.committee().t()
    }

    #[getter]
    fn epoch(&self) -> u64 {
        self.0.committee().epoch()
    }

    /// The key that verifies what the committee signs.
    #[getter]
    fn key(&self) -> PublicKey {
        PublicKey(self.0.key().clone())
    }

    /// The key of one member's partials.
    fn member_key(&self, index: u16) -> Result<PublicKey, Error> {
        Ok(PublicKey(self.0.member_key(index)?))
    }

    /// Refuses a share that does not belong to this committee.
    fn check_share(&self, py: Python<'_>, share: &Share) -> Result<(), Error> {
        Ok(py.detach(|| self.0.check_share(&share.0))?)
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    fn __repr__(&self) -> String {
        let committee = self.0.committee();
        let (t, n, epoch) = (committee.t(), committee.n(), committee.epoch());
        format!("Sharing(t={t}, n={n}, epoch={epoch}, key={:?})", self.0.key())
    }
}

/// Keys of which each proved possession.
#[pyclass(module = "cwts._core")]
#[derive(Default)]
pub(crate) struct KeyRegistry(bls::Registry);

#[pymethods]
impl KeyRegistry {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Takes a key with its proof; gives its place.
    fn register(&mut self, key: &PublicKey, proof: &[u8]) -> Result<usize, Error> {
        Ok(self.0.register(key.0.clone(), &bls::Proof::parse(proof)?)?)
    }

    fn __len__(&self) -> usize {
        self.0.keys().len()
    }
}

/// A point is as good as random already.
fn hash_of(point: &[u8]) -> u64 {
    point[8..16].iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

#[pyfunction]
pub(crate) fn bls_sign<'py>(
    py: Python<'py>,
    key: &SecretKey,
    message: &[u8],
) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &py.detach(|| bls::sign(&key.0, message).to_bytes()))
}

#[pyfunction]
pub(crate) fn bls_verify(
    py: Python<'_>,
    key: &PublicKey,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, Error> {
    let signed = |signature| Ok(bls::verify(&key.0, message, &signature));
    Ok(py.detach(|| bls::Signature::parse(signature).and_then(signed))?)
}

/// The places of those that are not valid, malformed ones among them.
#[pyfunction]
pub(crate) fn bls_verify_batch(
    py: Python<'_>,
    key: &PublicKey,
    messages: Vec<Vec<u8>>,
    signatures: Vec<Vec<u8>>,
) -> Result<Vec<usize>, Error> {
    let secret = batch_secret()?;
    let bad = py.detach(|| -> Result<Vec<usize>, bls::Error> {
        let count =
            bls::Error::Count { field: "signatures", got: signatures.len(), want: messages.len() };
        if signatures.len() != messages.len() {
            return Err(count);
        }
        let parsed: Vec<_> = signatures.iter().map(|one| bls::Signature::parse(one)).collect();
        let whole: Vec<usize> = (0..parsed.len()).filter(|at| parsed[*at].is_ok()).collect();
        let texts: Vec<&[u8]> = whole.iter().map(|at| messages[*at].as_slice()).collect();
        let points: Vec<bls::Signature> =
            parsed.iter().filter_map(|one| one.clone().ok()).collect();
        let wrong = bls::verify_batch(&key.0, &texts, &points, &secret)?;
        let malformed = (0..parsed.len()).filter(|at| parsed[*at].is_err());
        let mut bad: Vec<usize> = wrong.into_iter().map(|at| whole[at]).chain(malformed).collect();
        bad.sort_unstable();
        Ok(bad)
    });
    Ok(bad?)
}

#[pyfunction]
pub(crate) fn bls_aggregate(
    py: Python<'_>,
    signatures: Vec<Vec<u8>>,
) -> Result<Bound<'_, PyBytes>, Error> {
    let parsed: Result<Vec<_>, _> =
        signatures.iter().map(|one| bls::Signature::parse(one)).collect();
    Ok(PyBytes::new(py, &bls::aggregate(&parsed?)?.to_bytes()))
}

#[pyfunction]
pub(crate) fn bls_fast_aggregate_verify(
    py: Python<'_>,
    registry: &KeyRegistry,
    places: Vec<usize>,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, Error> {
    let signature = bls::Signature::parse(signature)?;
    Ok(py.detach(|| bls::fast_aggregate_verify(&registry.0, &places, message, &signature)))
}

#[pyfunction]
pub(crate) fn pop_prove<'py>(py: Python<'py>, key: &SecretKey) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &py.detach(|| bls::pop_prove(&key.0).to_bytes()))
}

#[pyfunction]
pub(crate) fn pop_verify(py: Python<'_>, key: &PublicKey, proof: &[u8]) -> Result<bool, Error> {
    let proof = bls::Proof::parse(proof)?;
    Ok(py.detach(|| bls::pop_verify(&key.0, &proof)))
}

/// Deals a new key: whoever runs this knows it.
#[pyfunction]
#[pyo3(signature = (*, n, t, epoch))]
pub(crate) fn deal_shares(
    py: Python<'_>,
    n: u16,
    t: u16,
    epoch: u64,
) -> Result<(Sharing, Vec<Share>), Error> {
    let committee = bls::Committee::new(n, t, epoch)?;
    let seed = seed()?;
    let dealing = py.detach(|| bls::deal(committee, &seed))?;
    Ok((Sharing(dealing.sharing), dealing.shares.into_iter().map(Share).collect()))
}

#[pyfunction]
pub(crate) fn partial_sign(py: Python<'_>, share: &Share, message: &[u8]) -> Partial {
    Partial(py.detach(|| bls::partial_sign(&share.0, message)))
}

/// The committee's signature, and the members whose partial was bad.
#[pyfunction]
pub(crate) fn recover_signature<'py>(
    py: Python<'py>,
    sharing: &Sharing,
    message: &[u8],
    partials: Vec<Bound<'py, PyAny>>,
) -> Result<(Bound<'py, PyBytes>, Vec<u16>), Error> {
    let parts: Result<Vec<bls::Partial>, PyErr> = partials
        .iter()
        .map(|partial| match partial.cast::<Partial>() {
            Ok(partial) => Ok(partial.get().0),
            Err(_) => Err(PyTypeError::new_err("partials: not a Partial")),
        })
        .collect();
    let (parts, secret) = (parts?, batch_secret()?);
    let made = py.detach(|| bls::recover(&sharing.0, message, &parts, &secret))?;
    Ok((PyBytes::new(py, &made.signature.to_bytes()), made.blamed))
}

/// Whether a partial is its member's, over this message.
#[pyfunction]
pub(crate) fn verify_partial(
    py: Python<'_>,
    sharing: &Sharing,
    message: &[u8],
    partial: &Partial,
) -> Result<bool, Error> {
    Ok(py.detach(|| partial.0.verify(&sharing.0, message))?)
}

/// Proves that a member has its share; `session` is 32 bytes that the verifier drew.
#[pyfunction]
pub(crate) fn prove_share<'py>(
    py: Python<'py>,
    share: &Share,
    session: [u8; 32],
) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &py.detach(|| bls::prove_share(&share.0, &session).to_bytes()))
}

/// Whether a member has its share.
#[pyfunction]
pub(crate) fn verify_share(
    py: Python<'_>,
    sharing: &Sharing,
    index: u16,
    session: [u8; 32],
    proof: &[u8],
) -> Result<bool, Error> {
    let proof = bls::ShareProof::parse(proof)?;
    Ok(py.detach(|| bls::verify_share(&sharing.0, index, &session, &proof))?)
}

/// A partial, and the proof that it is made with the member's share.
#[pyfunction]
pub(crate) fn prove_partial<'py>(
    py: Python<'py>,
    share: &Share,
    message: &[u8],
) -> (Partial, Bound<'py, PyBytes>) {
    let (partial, proof) = py.detach(|| bls::prove_partial(&share.0, message));
    (Partial(partial), PyBytes::new(py, &proof.to_bytes()))
}

/// Whether a partial is its member's, without a pairing.
#[pyfunction]
pub(crate) fn verify_partial_proof(
    py: Python<'_>,
    sharing: &Sharing,
    message: &[u8],
    partial: &Partial,
    proof: &[u8],
) -> Result<bool, Error> {
    let proof = bls::ShareProof::parse(proof)?;
    Ok(py.detach(|| bls::verify_partial_proof(&sharing.0, message, partial.0, &proof))?)
}

/// The signature of another network, with its key in G1, under its suite.
#[pyfunction]
pub(crate) fn min_pk_verify(
    py: Python<'_>,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
    suite: &str,
) -> Result<bool, Error> {
    Ok(py.detach(|| bls::min_pk::verify(key, message, signature, suite.as_bytes()))?)
}
