// SPDX-License-Identifier: Apache-2.0
//! The one table of limit parameters and which direction is tighter (invariant I5).
use crate::codes;
use crate::limits::LimitsRecord;

codes! {
    /// A calibrated parameter; its code is its bit in `valid_mask` and its place in `controls`.
    Parameter {
        /// Control 12.
        MaxOrderQuantity = 0 => "max_order_quantity",
        /// Control 13.
        MaxOrderNotional = 1 => "max_order_notional",
        /// Control 18 long.
        PositionMaxLong = 2 => "position_max_long",
        /// Control 18 short.
        PositionMaxShort = 3 => "position_max_short",
        /// Control 15 ticks.
        CollarTicks = 4 => "collar_ticks",
        /// Control 15 ppm.
        CollarPpm = 5 => "collar_ppm",
        /// Control 16.
        PassiveStandoffTicks = 6 => "passive_standoff_ticks",
        /// Control 17, 10 s.
        DriftShortTicks = 7 => "drift_short_ticks",
        /// Control 17, 5 min.
        DriftLongTicks = 8 => "drift_long_ticks",
        /// Control 14 depth.
        MaxDepthSharePpm = 9 => "max_depth_share_ppm",
        /// Control 14 volume.
        MaxVolumeSharePpm = 10 => "max_volume_share_ppm",
        /// Control 14 ADV.
        MaxAdvSharePpm = 11 => "max_adv_share_ppm",
        /// Control 34 hold.
        OrderErrorHold = 12 => "order_error_hold",
        /// Control 34 reject.
        OrderErrorReject = 13 => "order_error_reject",
        /// Control 35.
        ImpactBudgetBps = 14 => "impact_budget_bps",
        /// Control 21.
        MarginMultiplierPpm = 15 => "margin_multiplier_ppm",
        /// Control 22.
        ConcentrationPpm = 16 => "concentration_ppm",
        /// Control 24 new.
        RateNewPerS = 17 => "rate_new_per_s",
        /// Control 24 replace.
        RateReplacePerS = 18 => "rate_replace_per_s",
        /// Control 32.
        VelocityTicks = 19 => "velocity_ticks",
        /// Control 23.
        LossTriggerPpm = 20 => "loss_trigger_ppm",
    }
}

/// Number of parameters.
pub const PARAMETER_COUNT: usize = 21;
/// `valid_mask` with every parameter present.
pub const ALL_VALID: u32 = (1 << PARAMETER_COUNT) - 1;

/// Which of two values of a parameter is the tighter one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The smaller value is tighter.
    SmallerIsTighter,
    /// The bigger value is tighter.
    BiggerIsTighter,
}

impl Parameter {
    /// The direction table; the only place that knows it.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Parameter::PassiveStandoffTicks | Parameter::MarginMultiplierPpm => Direction::BiggerIsTighter,
            _ => Direction::SmallerIsTighter,
        }
    }

    /// The tighter of two values, the only comparison used for merging limits.
    ///
    /// `STANDOFF_OFF` is `i32::MIN`, hence the loosest stand-off under "bigger is tighter".
    #[must_use]
    pub const fn tighter(self, a: i64, b: i64) -> i64 {
        match self.direction() {
            Direction::SmallerIsTighter => {
                if a < b {
                    a
                } else {
                    b
                }
            }
            Direction::BiggerIsTighter => {
                if a > b {
                    a
                } else {
                    b
                }
            }
        }
    }

    /// True where `a` is strictly looser than `b`.
    #[must_use]
    pub const fn is_looser(self, a: i64, b: i64) -> bool {
        self.tighter(a, b) != a
    }

    /// True for the three parameters stored as `f32`; as an integer they are in 1e-9.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Parameter::OrderErrorHold | Parameter::OrderErrorReject | Parameter::ImpactBudgetBps)
    }

    /// Reads this parameter of a record as an integer (floats in 1e-9), `None` where its valid bit is off.
    #[must_use]
    pub fn get(self, record: &LimitsRecord) -> Option<i64> {
        if record.valid_mask & (1 << self as u32) == 0 {
            return None;
        }
        Some(match self {
            Parameter::MaxOrderQuantity => record.max_order_quantity,
            Parameter::MaxOrderNotional => record.max_order_notional,
            Parameter::PositionMaxLong => record.position_max_long,
            Parameter::PositionMaxShort => record.position_max_short,
            Parameter::CollarTicks => i64::from(record.collar_ticks),
            Parameter::CollarPpm => i64::from(record.collar_ppm),
            Parameter::PassiveStandoffTicks => i64::from(record.passive_standoff_ticks),
            Parameter::DriftShortTicks => i64::from(record.drift_short_ticks),
            Parameter::DriftLongTicks => i64::from(record.drift_long_ticks),
            Parameter::MaxDepthSharePpm => i64::from(record.max_depth_share_ppm),
            Parameter::MaxVolumeSharePpm => i64::from(record.max_volume_share_ppm),
            Parameter::MaxAdvSharePpm => i64::from(record.max_adv_share_ppm),
            Parameter::OrderErrorHold => from_f32(record.order_error_hold)?,
            Parameter::OrderErrorReject => from_f32(record.order_error_reject)?,
            Parameter::ImpactBudgetBps => from_f32(record.impact_budget_bps)?,
            Parameter::MarginMultiplierPpm => i64::from(record.margin_multiplier_ppm),
            Parameter::ConcentrationPpm => i64::from(record.concentration_ppm),
            Parameter::RateNewPerS => i64::from(record.rate_new_per_s),
            Parameter::RateReplacePerS => i64::from(record.rate_replace_per_s),
            Parameter::VelocityTicks => i64::from(record.velocity_ticks),
            Parameter::LossTriggerPpm => i64::from(record.loss_trigger_ppm),
        })
    }
}

/// A float parameter as an integer in 1e-9; NaN, infinite or negative is no value.
fn from_f32(value: f32) -> Option<i64> {
    (value.is_finite() && value >= 0.0).then(|| (f64::from(value) * 1e9).min(9e18) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::STANDOFF_OFF;

    #[test]
    fn standoff_off_is_looser_than_any_number() {
        let p = Parameter::PassiveStandoffTicks;
        assert_eq!(p.tighter(i64::from(STANDOFF_OFF), 5), 5);
        assert!(p.is_looser(i64::from(STANDOFF_OFF), -3));
    }

    #[test]
    fn codes_are_the_bits_in_table_order() {
        assert_eq!(Parameter::ALL.len(), PARAMETER_COUNT);
        for (i, p) in Parameter::ALL.iter().enumerate() {
            assert_eq!(*p as usize, i);
        }
    }
}
