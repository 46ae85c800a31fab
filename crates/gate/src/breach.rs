// SPDX-License-Identifier: Apache-2.0
//! Why one check says no.
use pretrade_records::{ReasonCode, Unit};

/// One control not satisfied, with what was measured and the bound it missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Control number of `controls.md`.
    pub control: u8,
    /// Closed reason.
    pub reason: ReasonCode,
    /// What was measured.
    pub measured: i64,
    /// The bound.
    pub limit: i64,
    /// Unit of both.
    pub unit: Unit,
}

impl Breach {
    /// A breach with numbers.
    #[must_use]
    pub const fn new(control: u8, reason: ReasonCode, measured: i64, limit: i64, unit: Unit) -> Self {
        Breach { control, reason, measured, limit, unit }
    }

    /// A breach no number belongs to.
    #[must_use]
    pub const fn plain(control: u8, reason: ReasonCode) -> Self {
        Breach::new(control, reason, 0, 0, Unit::None)
    }

    /// An input of `control` is missing: refuses, never stands for zero or infinity.
    #[must_use]
    pub const fn missing(control: u8) -> Self {
        Breach::plain(control, ReasonCode::InputMissing)
    }
}

/// What a check returns.
pub type Check = Result<(), Breach>;
