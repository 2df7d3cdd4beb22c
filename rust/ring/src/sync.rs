//! The one place that chooses between the standard library's atomics and threads, and loom's.
//!
//! Under `cfg(loom)` every load, store and cell access becomes a step that loom reorders as the
//! memory model allows; otherwise the names below are the standard ones and cost nothing.

#[cfg(loom)]
pub(crate) use loom::{
    cell::UnsafeCell,
    hint::spin_loop as spin,
    sync::atomic::{AtomicBool, AtomicU64, fence},
    sync::{Arc, Mutex},
    thread::{Thread, current, yield_now},
};
#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop as spin,
    sync::atomic::{AtomicBool, AtomicU64, fence},
    sync::{Arc, Mutex},
    thread::{Thread, current, park_timeout as park, yield_now},
};

/// The orderings are one enum in both worlds.
pub(crate) use std::sync::atomic::Ordering;

/// Sleeps until somebody unparks: loom has no clock, so a call that is lost is a deadlock there.
#[cfg(loom)]
pub(crate) fn park(_sleep_max: std::time::Duration) {
    loom::thread::park();
}

/// `std::cell::UnsafeCell` with loom's two ways in, so that loom can see when an access begins
/// and ends.
#[cfg(not(loom))]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Lends a pointer for reading.
    #[inline(always)]
    pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        access(self.0.get().cast_const())
    }

    /// Lends a pointer for writing.
    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}
