// SPDX-License-Identifier: Apache-2.0
//! The FIX edge: sessions of FIX 4.2, 4.4 and 5.0 SP2 (FIXT 1.1), and messages that are read and patched where they lie.
//!
//! Reads bytes of a counterparty; gives messages in sequence, answers for what is not, and bytes to send. A message is
//! never taken apart into an object per field: what is needed is read in one walk, the rest is passed on as it came.
//! Standards: FIX Session Layer (FIX Trading Community, 2020), FIX 4.2, 4.4, 5.0 SP2 volumes 2; the QuickFIX server acceptance
//! definitions for what sessions answer.
#![forbid(unsafe_code)]

pub mod book;
pub mod dictionary;
pub mod edge;
pub mod field;
pub mod frame;
pub mod header;
pub mod ids;
pub mod keeper;
pub mod number;
pub mod order_fields;
pub mod refusal;
pub mod server;
pub mod session;
pub mod settings;
pub mod store;
pub mod time;
pub mod tls;
pub mod validate;
pub mod wire;
