// SPDX-License-Identifier: Apache-2.0
//! Control 34: the order-error score against the two levels of the limits in force.
use crate::breach::Breach;
use crate::merge::is_unbounded;
use pretrade_records::parameter::Parameter;
use pretrade_records::{ReasonCode, Unit};

/// What the score says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scored {
    /// Below both levels.
    Passed,
    /// At or above the hold level, or no score: a reviewer decides.
    Flagged(Breach),
    /// At or above the reject level.
    Refused(Breach),
}

/// Control 34: the score lies below both levels, given in 1e-9. No score is a flag, never a pass, unless both levels are unlimited.
#[must_use]
pub fn check_order_error(score: f32, hold: i64, reject: i64) -> Scored {
    let (is_holding, is_rejecting) = (!is_unbounded(Parameter::OrderErrorHold, hold), !is_unbounded(Parameter::OrderErrorReject, reject));
    if !is_holding && !is_rejecting {
        return Scored::Passed;
    }
    if score.is_nan() {
        return Scored::Flagged(Breach::missing(34));
    }
    // The same product as the limit's own crossing from f32: equal scores are equal numbers.
    let measured = (f64::from(score) * 1e9) as i64;
    let breach = |limit| Breach::new(34, ReasonCode::OrderErrorScore, measured, limit, Unit::Score);
    if is_rejecting && measured >= reject {
        return Scored::Refused(breach(reject));
    }
    if is_holding && measured >= hold {
        return Scored::Flagged(breach(hold));
    }
    Scored::Passed
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFF: i64 = 9_000_000_000_000_000_000;
    const HOLD: i64 = 50_000_000;
    const REJECT: i64 = 200_000_000;

    #[test]
    fn each_level_holds_at_its_own_value_and_not_below() {
        let verdict = |score, hold, reject| match check_order_error(score, hold, reject) {
            Scored::Passed => (0, 0),
            Scored::Flagged(b) => (1, b.limit),
            Scored::Refused(b) => (2, b.limit),
        };
        let at = |level: i64| (level as f64 / 1e9) as f32;
        assert_eq!(verdict(at(HOLD).next_down(), HOLD, REJECT), (0, 0));
        assert_eq!(verdict(at(HOLD), HOLD, REJECT), (1, HOLD));
        assert_eq!(verdict(at(REJECT).next_down(), HOLD, REJECT), (1, HOLD));
        assert_eq!(verdict(at(REJECT), HOLD, REJECT), (2, REJECT));
        assert_eq!(verdict(1.0, HOLD, OFF), (1, HOLD));
        assert_eq!(verdict(at(REJECT), OFF, REJECT), (2, REJECT));
        assert_eq!(verdict(1.0, OFF, OFF), (0, 0));
        assert_eq!(verdict(0.0, 0, REJECT), (1, 0));
    }

    #[test]
    fn no_score_is_a_flag_where_any_level_stands() {
        for (hold, reject) in [(HOLD, REJECT), (HOLD, OFF), (OFF, REJECT)] {
            assert_eq!(check_order_error(f32::NAN, hold, reject), Scored::Flagged(Breach::missing(34)));
        }
        assert_eq!(check_order_error(f32::NAN, OFF, OFF), Scored::Passed);
    }
}
