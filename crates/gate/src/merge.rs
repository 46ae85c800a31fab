// SPDX-License-Identifier: Apache-2.0
//! Effective limits of one instrument: clamp, fallback, ramp. Pure functions over integers.
//!
//! The direction table of `records` is the only comparison used (invariant I5).
use crate::options::GateOptions;
use pretrade_records::limits::flags;
use pretrade_records::parameter::{ALL_VALID, Direction, PARAMETER_COUNT, Parameter};
use pretrade_records::units::{PPM, STANDOFF_OFF, UNLIMITED, UNLIMITED_U32};
use pretrade_records::{LimitsRecord, Tier};
use pretrade_shm::controls::row_flags;
use pretrade_shm::{ControlsRecord, Table};

/// All parameters as integers (floats in 1e-9), by [`Parameter`] code.
pub type Values = [i64; PARAMETER_COUNT];

/// What humans signed for one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Normal working limits.
    pub statics: Values,
    /// Tightest a model alone may set.
    floor: [Option<i64>; PARAMETER_COUNT],
    /// Loosest a model may set.
    pub ceiling: Values,
    /// Stage 1 without a last good value: static times this.
    pub fallback_factor_ppm: u32,
}

impl Envelope {
    /// Reads a `controls` row; `None` when a static value is absent (control 9 then refuses).
    #[must_use]
    pub fn of(row: &ControlsRecord) -> Option<Self> {
        let mut envelope = Envelope {
            statics: [0; PARAMETER_COUNT],
            floor: [None; PARAMETER_COUNT],
            ceiling: [0; PARAMETER_COUNT],
            fallback_factor_ppm: row.fallback_factor_ppm.min(PPM),
        };
        let is_signed = row.flags & row_flags::SIGNED_CEILING != 0;
        for &p in Parameter::ALL {
            let (i, statics) = (p as usize, row.static_limits.get(p)?);
            envelope.statics[i] = statics;
            envelope.floor[i] = row.floor.get(p);
            envelope.ceiling[i] = match row.ceiling.get(p) {
                Some(ceiling) if is_signed => ceiling,
                Some(ceiling) => p.tighter(statics, ceiling),
                None => statics,
            };
        }
        Some(envelope)
    }

    /// clamp(dynamic, floor, ceiling); the ceiling has the last word.
    #[must_use]
    pub fn clamp(&self, dynamic: &Values) -> Values {
        each(|p| {
            let (i, value) = (p as usize, dynamic[p as usize]);
            let lifted = match self.floor[i] {
                Some(floor) if p.is_looser(floor, value) => floor,
                _ => value,
            };
            p.tighter(lifted, self.ceiling[i])
        })
    }

    /// Stage 1: the tighter of last good and static; static x factor when nothing good was ever seen.
    #[must_use]
    pub fn fallback(&self, last_good: Option<&Values>, options: &GateOptions) -> Values {
        each(|p| {
            let statics = self.statics[p as usize];
            match last_good {
                Some(values) => p.tighter(values[p as usize], statics),
                None => p.tighter(self.scaled_static(p, options), statics),
            }
        })
    }

    fn scaled_static(&self, p: Parameter, options: &GateOptions) -> i64 {
        let statics = self.statics[p as usize];
        if p == Parameter::PassiveStandoffTicks {
            return i64::from(options.fallback_standoff_ticks);
        }
        if is_unbounded(p, statics) {
            return statics;
        }
        let (value, factor, ppm) = (i128::from(statics), i128::from(self.fallback_factor_ppm), i128::from(PPM));
        let scaled = match p.direction() {
            Direction::SmallerIsTighter => value * factor / ppm,
            // Bigger is tighter: divide, rounding up; factor 0 has no finite answer and takes the bound of the type.
            Direction::BiggerIsTighter => (value * ppm + factor - 1).checked_div(factor).unwrap_or(i128::from(u32::MAX)),
        };
        i64::try_from(scaled).unwrap_or(i64::MAX)
    }
}

/// One value per parameter.
fn each(mut value: impl FnMut(Parameter) -> i64) -> Values {
    let mut values = [0; PARAMETER_COUNT];
    for &p in Parameter::ALL {
        values[p as usize] = value(p);
    }
    values
}

/// True where a value is the explicit "no bound" (or "off") of its parameter.
#[must_use]
pub fn is_unbounded(p: Parameter, value: i64) -> bool {
    match p {
        Parameter::MaxOrderQuantity | Parameter::MaxOrderNotional | Parameter::PositionMaxLong | Parameter::PositionMaxShort => value == UNLIMITED,
        Parameter::PassiveStandoffTicks => value == i64::from(STANDOFF_OFF),
        Parameter::OrderErrorHold | Parameter::OrderErrorReject | Parameter::ImpactBudgetBps => value >= 9_000_000_000_000_000_000,
        _ => value == i64::from(UNLIMITED_U32),
    }
}

/// Identity of the limits a gate last trusted: they never go back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, bytemuck::Zeroable)]
#[repr(C)]
pub struct Version {
    /// Epoch of the writer.
    pub epoch: u32,
    /// Zero.
    pub pad: u32,
    /// Version inside the epoch.
    pub version: u64,
}

/// The numbers of a record, `None` unless all of them can be trusted: checksum, identity, epoch, version, ranges.
#[must_use]
pub fn sound_values(record: &LimitsRecord, instrument_id: u32, table_epoch: u32, last: Version) -> Option<Values> {
    if Table::<LimitsRecord>::is_intact(record) { intact_values(record, instrument_id, table_epoch, last) } else { None }
}

/// As [`sound_values`] of a record whose checksum was found right.
#[must_use]
pub fn intact_values(record: &LimitsRecord, instrument_id: u32, table_epoch: u32, last: Version) -> Option<Values> {
    let seen = Version { epoch: record.epoch, pad: 0, version: record.version };
    let is_sound = record.instrument_id == instrument_id
        && record.epoch == table_epoch
        && seen >= last
        && record.version > 0
        && record.valid_mask & ALL_VALID == ALL_VALID
        && Tier::try_from(record.tier).is_ok();
    if !is_sound {
        return None;
    }
    let mut values = [0; PARAMETER_COUNT];
    for &p in Parameter::ALL {
        let value = p.get(record)?;
        if value < 0 && p != Parameter::PassiveStandoffTicks {
            return None;
        }
        values[p as usize] = value;
    }
    Some(values)
}

/// True where the model behind a record gave a score: absent, NaN or out of range means stage 1.
#[must_use]
pub fn has_model(record: &LimitsRecord) -> bool {
    record.flags & flags::MODEL_ABSENT == 0 && (0.0..=1.0).contains(&record.score)
}

/// The tighter of two sets, parameter by parameter.
#[must_use]
pub fn tightest(a: &Values, b: &Values) -> Values {
    each(|p| p.tighter(a[p as usize], b[p as usize]))
}

/// How far the limits in force have loosened: the second rate limit of invariant I4, behind calibration's own.
///
/// Each parameter goes its own way: time that one spends waiting is no time that another may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    base: Values,
    target: Values,
    mono_base: [i64; PARAMETER_COUNT],
    is_started: bool,
}

impl Default for Ramp {
    fn default() -> Self {
        Ramp { base: [0; PARAMETER_COUNT], target: [0; PARAMETER_COUNT], mono_base: [0; PARAMETER_COUNT], is_started: false }
    }
}

impl Ramp {
    /// The values in force now and whether any still ramps. Tightening is immediate; loosening starts when first seen.
    pub fn step(&mut self, target: &Values, statics: &Values, now_mono: i64, ramp_ns: i64) -> (Values, bool) {
        if !self.is_started {
            self.rest(*target);
        }
        let values = each(|p| self.step_one(p, target[p as usize], statics[p as usize], now_mono, ramp_ns));
        (values, values != *target)
    }

    fn step_one(&mut self, p: Parameter, target: i64, statics: i64, now_mono: i64, ramp_ns: i64) -> i64 {
        let i = p as usize;
        if target == self.target[i] && target == self.base[i] {
            return target;
        }
        if target != self.target[i] {
            let old = self.target[i];
            let here = loosened(p, self.base[i], old, statics, now_mono.saturating_sub(self.mono_base[i]), ramp_ns);
            let goes_on = here != old && span(p, self.base[i], old, statics) == span(p, self.base[i], target, statics);
            if !goes_on || !p.is_looser(target, here) {
                (self.base[i], self.mono_base[i]) = (p.tighter(here, target), now_mono);
            }
            self.target[i] = target;
        }
        let value = loosened(p, self.base[i], target, statics, now_mono.saturating_sub(self.mono_base[i]), ramp_ns);
        if value == target {
            self.base[i] = target;
        }
        value
    }

    /// Puts values in force with nothing left to ramp: a first record, or a fallback.
    pub fn rest(&mut self, values: Values) {
        (self.base, self.target, self.is_started) = (values, values, true);
    }
}

/// What a parameter may loosen by in a whole ramp; `None` where there is no halfway, and the change waits for its end.
fn span(p: Parameter, base: i64, target: i64, statics: i64) -> Option<i64> {
    if is_unbounded(p, target) || is_unbounded(p, base) {
        return None;
    }
    match p.direction() {
        Direction::SmallerIsTighter if is_unbounded(p, statics) => Some(target.max(1)),
        Direction::SmallerIsTighter => Some(statics.max(target).max(1)),
        Direction::BiggerIsTighter => Some(base.saturating_sub(target).max(1)),
    }
}

/// `base` moved towards a looser `target` by its span per `ramp_ns`; never past it.
fn loosened(p: Parameter, base: i64, target: i64, statics: i64, elapsed: i64, ramp_ns: i64) -> i64 {
    if !p.is_looser(target, base) || elapsed >= ramp_ns {
        return target;
    }
    let Some(span) = span(p, base, target, statics) else { return base };
    let step = i128::from(span) * i128::from(elapsed.max(0)) / i128::from(ramp_ns);
    let moved = match p.direction() {
        Direction::SmallerIsTighter => i128::from(base) + step,
        Direction::BiggerIsTighter => i128::from(base) - step,
    };
    p.tighter(i64::try_from(moved).unwrap_or(target), target)
}
