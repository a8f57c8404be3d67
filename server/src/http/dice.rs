//! Numbers that differ from one another and tell nothing: for request ids and for spreading callers. Not secrets.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

static THROWN: AtomicU64 = AtomicU64::new(0);

/// A number that this process has not given before, and that another process hardly gives.
pub(crate) fn number() -> u64 {
    // The hasher's keys come from the operating system.
    static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    // SplitMix64: steps of an odd number, mixed by a permutation, so that ids do not tell how busy the server is.
    let step = THROWN.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut mixed = START.wrapping_add(step);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A number from 0 up to 1.
pub(crate) fn throw() -> f64 {
    (number() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_repeat_and_throws_are_spread() {
        let numbers: std::collections::HashSet<u64> = (0..10_000).map(|_| number()).collect();
        assert_eq!(numbers.len(), 10_000);

        let throws: Vec<f64> = (0..1_000).map(|_| throw()).collect();
        assert!(throws.iter().all(|throw| (0.0..1.0).contains(throw)));
        assert!(throws.iter().any(|throw| *throw < 0.1) && throws.iter().any(|throw| *throw > 0.9));
    }
}
