//! Openings of commitments in files that their owner alone reads, and the randomness of proofs.

use std::path::Path;

use cwts_proofs::{OPENING_BYTES, Opening, ProofError, Seed};

use crate::GatewayError;
use crate::keys::random_32;
use crate::secret_file::{new_secret, read_secret};

/// A seed out of the system's randomness, for one commitment or one proof.
pub fn fresh_seed() -> Result<Seed, GatewayError> {
    Ok(Seed::new(&random_32()?))
}

/// Writes an opening to a new file of mode 0600; it is on disk when this returns.
pub fn save_opening(path: &Path, opening: &Opening) -> Result<(), GatewayError> {
    new_secret(path, &opening.encode()?)
}

/// Reads an opening; a file that others could read or write is refused.
pub fn load_opening(path: &Path) -> Result<Opening, GatewayError> {
    let bytes = read_secret(path, OPENING_BYTES)?;
    Opening::decode(&bytes).map_err(|source: ProofError| GatewayError::Opening {
        path: path.display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use subtle::ConstantTimeEq as _;

    use super::*;

    #[test]
    fn an_opening_is_written_once_and_read_back_by_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alpha.opening");
        let opening = Opening::new(125_000_000, &fresh_seed().unwrap());
        save_opening(&path, &opening).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(bool::from(load_opening(&path).unwrap().ct_eq(&opening)));
        assert_eq!(save_opening(&path, &opening).unwrap_err().code(), "FILE", "never overwritten");

        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(load_opening(&path).map(|_| ()).unwrap_err().code(), "KEY");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[16] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(load_opening(&path).map(|_| ()).unwrap_err().code(), "OPENING_MISMATCH");
        bytes.push(0);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(load_opening(&path).map(|_| ()).unwrap_err().code(), "KEY");
    }
}
