// SPDX-License-Identifier: Apache-2.0
//! Makes a run directory's tables from rows in memory: for replays, benches and tests, which have no control journal.
use crate::gate::GateFiles;
use pretrade_records::parameter::Parameter;
use pretrade_records::units::ANY_STRATEGY;
use pretrade_shm::{ControlsRecord, ControlsTable, CreateOptions, Level, LimitsTable, ParameterBlock, QuotesTable, TableError};

/// The writing ends of a gate's input tables.
#[derive(Debug)]
pub struct Tables {
    /// `limits`.
    pub limits: LimitsTable,
    /// `quotes`.
    pub quotes: QuotesTable,
    /// `controls`.
    pub controls: ControlsTable,
}

impl Tables {
    /// Creates the three tables with one limits and quotes record per instrument row, all of them empty.
    ///
    /// # Errors
    /// When a file cannot be made or a row comes twice.
    pub fn create(files: &GateFiles, rows: &[ControlsRecord], epoch: u32) -> Result<Self, TableError> {
        let options = CreateOptions { epoch, ..CreateOptions::new(files.clock_domain) };
        let ids: Vec<u32> = rows.iter().filter(|r| r.level == Level::Instrument as u8).map(|r| r.id).collect();
        let keys: Vec<(u32, u32)> = ids.iter().map(|id| (*id, ANY_STRATEGY)).collect();
        let limits = LimitsTable::create(&files.limits, &keys, &options)?;
        let quotes = QuotesTable::create(&files.quotes, &keys, &options)?;
        let keys: Vec<(u32, u32)> = rows.iter().map(|r| (r.id, u32::from(r.level))).collect();
        let mut controls = ControlsTable::create(&files.controls, &keys, &options)?;
        for row in rows {
            put_row(&mut controls, row)?;
        }
        controls.bump_generation()?;
        Ok(Tables { limits, quotes, controls })
    }

    /// Writes one `controls` row and moves the generation word.
    ///
    /// # Errors
    /// When the table has no such row.
    pub fn put(&mut self, row: &ControlsRecord) -> Result<(), TableError> {
        put_row(&mut self.controls, row)?;
        self.controls.bump_generation().map(|_| ())
    }
}

fn put_row(controls: &mut ControlsTable, row: &ControlsRecord) -> Result<(), TableError> {
    let missing = || TableError::new(std::path::Path::new("controls"), format!("has no row {} of level {}", row.id, row.level));
    let slot = controls.slot(row.id, u32::from(row.level)).ok_or_else(missing)?;
    controls.publish(slot, row)
}

/// Sets one parameter of a block from its integer form (floats in 1e-9), valid bit included; values beyond the width
/// become the bound of the type.
pub fn set_parameter(block: &mut ParameterBlock, parameter: Parameter, value: i64) {
    let narrow = u32::try_from(value.max(0)).unwrap_or(u32::MAX);
    let float = if value >= 9_000_000_000_000_000_000 { f32::MAX } else { (value as f64 / 1e9) as f32 };
    match parameter {
        Parameter::MaxOrderQuantity => block.max_order_quantity = value,
        Parameter::MaxOrderNotional => block.max_order_notional = value,
        Parameter::PositionMaxLong => block.position_max_long = value,
        Parameter::PositionMaxShort => block.position_max_short = value,
        Parameter::CollarTicks => block.collar_ticks = narrow,
        Parameter::CollarPpm => block.collar_ppm = narrow,
        Parameter::PassiveStandoffTicks => block.passive_standoff_ticks = i32::try_from(value).unwrap_or(i32::MAX),
        Parameter::DriftShortTicks => block.drift_short_ticks = narrow,
        Parameter::DriftLongTicks => block.drift_long_ticks = narrow,
        Parameter::MaxDepthSharePpm => block.max_depth_share_ppm = narrow,
        Parameter::MaxVolumeSharePpm => block.max_volume_share_ppm = narrow,
        Parameter::MaxAdvSharePpm => block.max_adv_share_ppm = narrow,
        Parameter::OrderErrorHold => block.order_error_hold = float,
        Parameter::OrderErrorReject => block.order_error_reject = float,
        Parameter::ImpactBudgetBps => block.impact_budget_bps = float,
        Parameter::MarginMultiplierPpm => block.margin_multiplier_ppm = narrow,
        Parameter::ConcentrationPpm => block.concentration_ppm = narrow,
        Parameter::RateNewPerS => block.rate_new_per_s = narrow,
        Parameter::RateReplacePerS => block.rate_replace_per_s = narrow,
        Parameter::VelocityTicks => block.velocity_ticks = narrow,
        Parameter::LossTriggerPpm => block.loss_trigger_ppm = narrow,
    }
    block.valid_mask |= 1 << parameter as u32;
}
