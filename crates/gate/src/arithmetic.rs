// SPDX-License-Identifier: Apache-2.0
//! Saturating sums for the hot path: two instructions where the library's branch-free form takes six, since the case that
//! saturates is moved out of the way.

/// `a + b`, saturated.
#[inline(always)]
#[must_use]
pub fn plus(a: i64, b: i64) -> i64 {
    match a.checked_add(b) {
        Some(sum) => sum,
        None => saturated_sum(a, b),
    }
}

/// `a - b`, saturated.
#[inline(always)]
#[must_use]
pub fn minus(a: i64, b: i64) -> i64 {
    match a.checked_sub(b) {
        Some(difference) => difference,
        None => saturated_difference(a, b),
    }
}

#[cold]
#[inline(never)]
fn saturated_sum(a: i64, b: i64) -> i64 {
    a.saturating_add(b)
}

#[cold]
#[inline(never)]
fn saturated_difference(a: i64, b: i64) -> i64 {
    a.saturating_sub(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_saturate_as_the_library_does(a in any::<i64>(), b in any::<i64>(), at in 0usize..4) {
            let edge = [i64::MIN, i64::MAX, 0, -1][at];
            for (a, b) in [(a, b), (a, edge), (edge, b)] {
                prop_assert_eq!(plus(a, b), a.saturating_add(b));
                prop_assert_eq!(minus(a, b), a.saturating_sub(b));
            }
        }
    }
}
