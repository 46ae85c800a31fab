// SPDX-License-Identifier: Apache-2.0
//! Anybody's recording as a table: a map of a few lines of TOML says what the columns mean.
//!
//! Rows of cells, whether text of a CSV line or numbers of a Parquet batch, go through one [`RowDecoder`].
pub mod cell;
pub mod clock;
pub mod csv;
pub mod map;
pub mod row;

pub use cell::{Cell, decimal};
pub use clock::Zone;
pub use csv::CsvDecoder;
pub use map::{Column, Surroundings, TableInstrument, TableMap, TypedStamps};
pub use row::RowDecoder;
