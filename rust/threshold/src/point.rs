//! Points that were checked: signatures in G1, keys in G2.

use std::fmt;
use std::sync::OnceLock;

use blst::blst_fp12;
use blstrs::{Bls12, G1Affine, G2Affine, G2Prepared};
use group::prime::PrimeCurveAffine as _;
use pairing::{MillerLoopResult as _, MultiMillerLoop as _};

use crate::error::{EncodingFault, Error, encoding};

/// The length of a signature.
pub const G1_BYTES: usize = 48;
/// The length of a key.
pub const G2_BYTES: usize = 96;

const COMPRESSED: u8 = 0x80;
const INFINITY: u8 = 0x40;

fn fixed<'b, const N: usize>(field: &'static str, bytes: &'b [u8]) -> Result<&'b [u8; N], Error> {
    let length = EncodingFault::Length { got: bytes.len(), want: N };
    let fixed: &[u8; N] = bytes.try_into().map_err(|_| encoding(field, length))?;
    match fixed[0] & (COMPRESSED | INFINITY) {
        COMPRESSED => Ok(fixed),
        both if both & COMPRESSED == 0 => Err(encoding(field, EncodingFault::NotCompressed)),
        _ => Err(encoding(field, EncodingFault::Identity)),
    }
}

/// On the curve and not the identity; whether in the subgroup is not looked at.
pub(crate) fn parse_g1_curve(field: &'static str, bytes: &[u8]) -> Result<G1Affine, Error> {
    let fixed = fixed(field, bytes)?;
    Option::from(G1Affine::from_compressed_unchecked(fixed))
        .ok_or_else(|| encoding(field, EncodingFault::NotOnCurve))
}

pub(crate) fn parse_g1(field: &'static str, bytes: &[u8]) -> Result<G1Affine, Error> {
    let point = parse_g1_curve(field, bytes)?;
    if bool::from(point.is_torsion_free()) {
        Ok(point)
    } else {
        Err(encoding(field, EncodingFault::NotInSubgroup))
    }
}

pub(crate) fn parse_g2(field: &'static str, bytes: &[u8]) -> Result<G2Affine, Error> {
    let fixed = fixed(field, bytes)?;
    let point: Option<G2Affine> = G2Affine::from_compressed_unchecked(fixed).into();
    let point = point.ok_or_else(|| encoding(field, EncodingFault::NotOnCurve))?;
    if bool::from(point.is_torsion_free()) {
        Ok(point)
    } else {
        Err(encoding(field, EncodingFault::NotInSubgroup))
    }
}

/// A signature: a point of G1 in the subgroup, not the identity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(crate) G1Affine);

impl Signature {
    /// Reads 48 bytes.
    ///
    /// # Errors
    /// [`Error::Encoding`]: of another length, no point, outside the subgroup, the identity.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        parse_g1("signature", bytes).map(Self)
    }

    /// The 48 bytes.
    pub fn to_bytes(self) -> [u8; G1_BYTES] {
        self.0.to_compressed()
    }

    pub(crate) fn of(point: G1Affine) -> Result<Self, Error> {
        if bool::from(point.is_identity()) {
            return Err(encoding("signature", EncodingFault::Identity));
        }
        Ok(Self(point))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", short(&self.to_bytes()))
    }
}

/// A key: a point of G2 in the subgroup, not the identity.
pub struct PublicKey {
    pub(crate) point: G2Affine,
    /// The lines of its Miller loop: made when it first verifies, a twelfth of a verification.
    lines: OnceLock<Box<G2Prepared>>,
}

impl PublicKey {
    /// Reads 96 bytes.
    ///
    /// # Errors
    /// [`Error::Encoding`]: of another length, no point, outside the subgroup, the identity.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        parse_g2("public key", bytes).map(Self::unchecked)
    }

    /// The 96 bytes.
    pub fn to_bytes(&self) -> [u8; G2_BYTES] {
        self.point.to_compressed()
    }

    pub(crate) fn of(point: G2Affine) -> Result<Self, Error> {
        if bool::from(point.is_identity()) {
            return Err(encoding("public key", EncodingFault::Identity));
        }
        Ok(Self::unchecked(point))
    }

    fn unchecked(point: G2Affine) -> Self {
        Self { point, lines: OnceLock::new() }
    }

    fn lines(&self) -> &G2Prepared {
        self.lines.get_or_init(|| Box::new(self.point.into()))
    }

    /// Whether e(signature, g2) = e(hash, key).
    pub(crate) fn pairs(&self, hash: &G1Affine, signature: &G1Affine) -> bool {
        let terms = [(signature, generator_lines()), (hash, self.lines())];
        bool::from(group::Group::is_identity(
            &Bls12::multi_miller_loop(&terms).final_exponentiation(),
        ))
    }
}

impl Clone for PublicKey {
    fn clone(&self) -> Self {
        Self::unchecked(self.point)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", short(&self.to_bytes()))
    }
}

/// Whether e(left, g2) = e(hash, right), where `right` verifies once and is not kept.
pub(crate) fn pairs_once(left: &G1Affine, hash: &G1Affine, right: &G2Affine) -> bool {
    if bool::from(right.is_identity()) || bool::from(hash.is_identity()) {
        return bool::from(left.is_identity());
    }
    if bool::from(left.is_identity()) {
        return false;
    }
    let g2 = G2Affine::generator();
    let signed = blst_fp12::miller_loop(g2.as_ref(), left.as_ref());
    let hashed = blst_fp12::miller_loop(right.as_ref(), hash.as_ref());
    blst_fp12::finalverify(&signed, &hashed)
}

/// The lines of -g2.
fn generator_lines() -> &'static G2Prepared {
    static LINES: OnceLock<G2Prepared> = OnceLock::new();
    LINES.get_or_init(|| (-G2Affine::generator()).into())
}

fn short(bytes: &[u8]) -> String {
    bytes[..6].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
