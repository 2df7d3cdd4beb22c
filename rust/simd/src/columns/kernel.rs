//! The one place where a function that needs a processor's feature is called.
//!
//! Invariant: `run` is that of `path`, and `path` is available; a [`Kernel`] comes from
//! [`with_path`] alone, which asks the processor first.

#![expect(unsafe_code, reason = "a call of a target_feature function")]

use std::sync::OnceLock;

use super::{Limits, Path, PathError, Rows, path, scalar};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// The checks on one path. Any number of threads may use a copy.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    path: Path,
    run: Run,
}

// SAFETY: a caller must have found the processor to have what the function was compiled for;
// `Kernel::check` is the one caller, and only `with_path`, which asks, makes a `Kernel`.
type Run = unsafe fn(&Limits, Rows<'_>, &mut [u16], &mut [i64]);

impl Kernel {
    /// The kernel of the best path that this processor has.
    pub fn best() -> Self {
        static BEST: OnceLock<Kernel> = OnceLock::new();
        let scalar = Self { path: Path::Scalar, run: scalar::run };
        *BEST.get_or_init(|| with_path(path()).unwrap_or(scalar))
    }

    /// The path that it takes.
    pub fn path(self) -> Path {
        self.path
    }

    /// Writes each row's bits of [`reason`](super::reason) and its tq, in ticks times quantity.
    ///
    /// # Panics
    ///
    /// If the columns differ in length.
    #[inline]
    pub fn check(self, limits: &Limits, rows: Rows<'_>, reasons: &mut [u16], tq: &mut [i64]) {
        let rows_count = rows.px.len();
        assert!(
            rows.qty.len() == rows_count
                && rows.flags.len() == rows_count
                && reasons.len() == rows_count
                && tq.len() == rows_count,
            "columns of one length"
        );
        // SAFETY: all that `run` demands of its caller is a processor with the features of
        // `path`; the fields are private, and `with_path`, the only maker of a Kernel whose path
        // is not scalar, found that path available before it paired the two.
        unsafe { (self.run)(limits, rows, reasons, tq) }
    }
}

/// The kernel of one path, for tests and benchmarks; a path that the processor lacks is refused.
pub fn with_path(path: Path) -> Result<Kernel, PathError> {
    if !path.is_available() {
        return Err(PathError { path });
    }
    let run: Run = match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => avx512::run,
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => avx2::run,
        _ => scalar::run,
    };
    Ok(Kernel { path, run })
}
