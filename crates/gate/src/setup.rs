// SPDX-License-Identifier: Apache-2.0
//! Makes a run directory's tables from rows in memory: for replays, benches and tests, which have no control journal.
use crate::gate::GateFiles;
use pretrade_records::units::ANY_STRATEGY;
use pretrade_shm::{ControlsRecord, ControlsTable, CreateOptions, Level, LimitsTable, QuotesTable, TableError};

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
