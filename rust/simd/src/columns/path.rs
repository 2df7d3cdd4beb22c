//! Which instructions the kernels use: asked of the processor once.

use std::fmt;
use std::sync::OnceLock;

/// An implementation of the kernels, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// Eight rows at a time: AVX-512 F, DQ, BW and VL.
    Avx512,
    /// Four rows at a time.
    Avx2,
    /// One row at a time, on any processor.
    Scalar,
}

impl Path {
    /// All of them, best first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Scalar];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Scalar => "scalar",
        }
    }

    /// Whether this processor, and the system that it runs, can do it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    // For its short runs.
                    && Self::Avx2.is_available()
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Scalar => true,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The path that this process uses: the best that its processor has.
pub fn path() -> Path {
    static CHOSEN: OnceLock<Path> = OnceLock::new();
    let best = || Path::ALL.into_iter().find(|path| path.is_available()).unwrap_or(Path::Scalar);
    *CHOSEN.get_or_init(best)
}

/// This processor lacks the instructions of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathError {
    /// The path that was asked for.
    pub path: Path,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "path {}: this processor lacks it; it has {}", self.path, path())
    }
}

impl std::error::Error for PathError {}
