//! Zero-knowledge proofs: what is secret stays in the core, and crosses into Python as a handle.

use std::path::PathBuf;

use cwts_gateway::{GatewayError, fresh_seed, load_opening, save_opening};
use cwts_proofs::{
    Context, Limit, OpenedLimit, Opening as Opened, Point, Proof, ProofError as Refused, Role,
    Secret as Scalar, prove_desks_sum_below as prove_sum, prove_dleq as prove_same_logarithm,
    prove_equal as prove_equality, prove_exposure_below as prove_exposure,
    prove_knowledge as prove_logarithm, shared_point, verify_desks_sum_below as verify_sum,
    verify_dleq as verify_same_logarithm, verify_equal as verify_equality,
    verify_exposure_below as verify_exposure, verify_knowledge as verify_logarithm,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;
use zeroize::Zeroizing;

use crate::convert::to_py;
use crate::error::Error;

type Bytes<'py> = Bound<'py, PyBytes>;

/// What opens a commitment; its number and its blinding never leave it.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Opening(Opened);

#[pymethods]
impl Opening {
    /// Commits to a number of units of 0.01.
    #[staticmethod]
    fn commit(value: u64) -> Result<Self, Error> {
        Ok(Self(Opened::new(value, &fresh_seed()?)))
    }

    /// Reads one from a file that its owner alone can read.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> Result<Self, Error> {
        Ok(Self(py.detach(|| load_opening(&path))?))
    }

    /// Writes it to a new file of mode 0600.
    fn save(&self, py: Python<'_>, path: PathBuf) -> Result<(), Error> {
        Ok(py.detach(|| save_opening(&path, &self.0))?)
    }

    /// The commitment, 32 bytes.
    #[getter]
    fn commitment<'py>(&self, py: Python<'py>) -> Result<Bytes<'py>, Error> {
        Ok(PyBytes::new(py, &self.0.commitment()?.to_bytes()))
    }
}

/// A secret scalar of ristretto255.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct Secret(Scalar);

#[pymethods]
impl Secret {
    /// Takes 32 bytes, little-endian, below the group's order.
    #[new]
    fn new(scalar: &[u8]) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        if scalar.len() != bytes.len() {
            return Err(Refused::Length { found: scalar.len(), wanted: bytes.len() }.into());
        }
        bytes.copy_from_slice(scalar);
        Ok(Self(Scalar::parse(&bytes)?))
    }

    /// Makes one out of the system's randomness.
    #[staticmethod]
    fn generate() -> Result<Self, Error> {
        Ok(Self(Scalar::generate(&fresh_seed()?)))
    }

    /// X = x G, 32 bytes.
    #[getter]
    fn public<'py>(&self, py: Python<'py>) -> Result<Bytes<'py>, Error> {
        Ok(PyBytes::new(py, &self.0.public()?.to_bytes()))
    }

    /// K = x R, 32 bytes.
    fn shared<'py>(&self, py: Python<'py>, base: &[u8]) -> Result<Bytes<'py>, Error> {
        let shared = shared_point(&self.0, &Point::parse(base, "base")?)?;
        Ok(PyBytes::new(py, &shared.to_bytes()))
    }
}

/// What a proof is bound to.
#[pyclass(frozen, module = "cwts._core")]
pub(crate) struct ProofContext(Context);

#[pymethods]
impl ProofContext {
    #[new]
    #[pyo3(signature = (*, chain, epoch, role, subject, as_of_seq, nonce))]
    fn new(
        chain: &[u8],
        epoch: u64,
        role: &str,
        subject: &str,
        as_of_seq: u64,
        nonce: &[u8],
    ) -> Result<Self, Error> {
        let chain = chain.try_into().map_err(|_| Refused::Field { field: "chain" })?;
        let nonce = nonce.try_into().map_err(|_| Refused::Field { field: "nonce" })?;
        let role = Role::named(role).ok_or(Refused::Field { field: "role" })?;
        Ok(Self(Context::new(chain, epoch, role, subject, as_of_seq, nonce)?))
    }

    /// SHA-256 over all of it, 32 bytes.
    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bytes<'py> {
        PyBytes::new(py, &self.0.digest())
    }
}

/// A limit as its prover has it: an opening, or a number that everybody knows.
#[derive(FromPyObject)]
pub(crate) enum LimitToProve<'py> {
    Hidden(PyRef<'py, Opening>),
    Public(u64),
}

/// A limit as its verifier has it: a commitment, or a number that everybody knows.
#[derive(FromPyObject)]
pub(crate) enum LimitToVerify {
    Hidden(Vec<u8>),
    Public(u64),
}

impl LimitToVerify {
    fn parse(&self) -> Result<Limit, Refused> {
        Ok(match self {
            Self::Hidden(bytes) => Limit::Hidden(Point::parse(bytes, "limit")?),
            Self::Public(number) => Limit::Public(*number),
        })
    }
}

impl LimitToProve<'_> {
    fn opened(&self) -> OpenedLimit<'_> {
        match self {
            Self::Hidden(opening) => OpenedLimit::Hidden(&opening.0),
            Self::Public(number) => OpenedLimit::Public(*number),
        }
    }
}

/// Proves knowledge of a secret.
#[pyfunction]
pub(crate) fn prove_knowledge<'py>(
    py: Python<'py>,
    secret: &Secret,
    context: &ProofContext,
) -> Result<Bytes<'py>, Error> {
    let proof = py.detach(|| Ok(prove_logarithm(&secret.0, &context.0, &fresh_seed()?)?));
    made(py, proof)
}

/// Tells whether a proof of knowledge of X's logarithm holds.
#[pyfunction]
pub(crate) fn verify_knowledge(
    py: Python<'_>,
    proof: &[u8],
    public: &[u8],
    context: &ProofContext,
) -> Result<bool, Error> {
    let holds = py.detach(|| {
        let public = Point::parse(public, "public")?;
        verify_logarithm(&Proof::decode(proof)?, &public, &context.0)
    });
    Ok(holds?)
}

/// Proves that X = x G and K = x R have one logarithm.
#[pyfunction]
pub(crate) fn prove_dleq<'py>(
    py: Python<'py>,
    secret: &Secret,
    base: &[u8],
    context: &ProofContext,
) -> Result<Bytes<'py>, Error> {
    let proof = py.detach(|| {
        let base = Point::parse(base, "base")?;
        Ok(prove_same_logarithm(&secret.0, &base, &context.0, &fresh_seed()?)?)
    });
    made(py, proof)
}

/// Tells whether a proof holds that two points have one logarithm.
#[pyfunction]
pub(crate) fn verify_dleq(
    py: Python<'_>,
    proof: &[u8],
    public: &[u8],
    base: &[u8],
    shared: &[u8],
    context: &ProofContext,
) -> Result<bool, Error> {
    let holds = py.detach(|| {
        let public = Point::parse(public, "public")?;
        let (base, shared) = (Point::parse(base, "base")?, Point::parse(shared, "shared")?);
        verify_same_logarithm(&Proof::decode(proof)?, &public, &base, &shared, &context.0)
    });
    Ok(holds?)
}

/// Proves that two commitments are to one number.
#[pyfunction]
pub(crate) fn prove_equal<'py>(
    py: Python<'py>,
    first: &Opening,
    second: &Opening,
    context: &ProofContext,
) -> Result<Bytes<'py>, Error> {
    let proof = py.detach(|| Ok(prove_equality(&first.0, &second.0, &context.0, &fresh_seed()?)?));
    made(py, proof)
}

/// Tells whether a proof holds that two commitments are to one number.
#[pyfunction]
pub(crate) fn verify_equal(
    py: Python<'_>,
    proof: &[u8],
    first: &[u8],
    second: &[u8],
    context: &ProofContext,
) -> Result<bool, Error> {
    let holds = py.detach(|| {
        let (first, second) = (Point::parse(first, "first")?, Point::parse(second, "second")?);
        verify_equality(&Proof::decode(proof)?, &first, &second, &context.0)
    });
    Ok(holds?)
}

/// Proves that a hidden exposure is at most a limit.
#[pyfunction]
pub(crate) fn prove_exposure_below<'py>(
    py: Python<'py>,
    exposure: &Opening,
    limit: LimitToProve<'py>,
    context: &ProofContext,
) -> Result<Bytes<'py>, Error> {
    let opened = limit.opened();
    let proof = py.detach(|| Ok(prove_exposure(&exposure.0, &opened, &context.0, &fresh_seed()?)?));
    made(py, proof)
}

/// Tells whether a proof holds that a committed exposure is at most a limit.
#[pyfunction]
pub(crate) fn verify_exposure_below(
    py: Python<'_>,
    proof: &[u8],
    exposure: &[u8],
    limit: LimitToVerify,
    context: &ProofContext,
) -> Result<bool, Error> {
    let holds = py.detach(|| {
        let exposure = Point::parse(exposure, "exposure")?;
        verify_exposure(&Proof::decode(proof)?, &exposure, &limit.parse()?, &context.0)
    });
    Ok(holds?)
}

/// Proves that the sum of hidden exposures is at most a limit.
#[pyfunction]
pub(crate) fn prove_desks_sum_below<'py>(
    py: Python<'py>,
    desks: Vec<PyRef<'py, Opening>>,
    limit: LimitToProve<'py>,
    context: &ProofContext,
) -> Result<Bytes<'py>, Error> {
    let opened = limit.opened();
    let openings: Vec<&Opened> = desks.iter().map(|desk| &desk.0).collect();
    let proof = py.detach(|| Ok(prove_sum(&openings, &opened, &context.0, &fresh_seed()?)?));
    made(py, proof)
}

/// Tells whether a proof holds that the sum of committed exposures is at most a limit.
#[pyfunction]
pub(crate) fn verify_desks_sum_below(
    py: Python<'_>,
    proof: &[u8],
    desks: Vec<Vec<u8>>,
    limit: LimitToVerify,
    context: &ProofContext,
) -> Result<bool, Error> {
    let holds = py.detach(|| {
        let desks =
            desks.iter().map(|desk| Point::parse(desk, "desk")).collect::<Result<Vec<_>, _>>()?;
        verify_sum(&Proof::decode(proof)?, &desks, &limit.parse()?, &context.0)
    });
    Ok(holds?)
}

/// What a proof is about, if it is one: kind, desks and bytes.
#[pyfunction]
pub(crate) fn proof_facts<'py>(py: Python<'py>, proof: &[u8]) -> Result<Bound<'py, PyAny>, Error> {
    let read = Proof::decode(proof)?;
    let facts = json!({"kind": read.kind().name(), "desks": read.desks(), "bytes": proof.len()});
    Ok(to_py(py, &facts)?)
}

fn made(py: Python<'_>, proof: Result<Proof, GatewayError>) -> Result<Bytes<'_>, Error> {
    Ok(PyBytes::new(py, &proof?.encode()))
}
