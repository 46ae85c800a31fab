// SPDX-License-Identifier: Apache-2.0
//! `pretrade._native.domain`: layouts and code sets of `records`.
use pretrade_gate::VenueKind;
use pretrade_records::parameter::{Direction, Parameter};
use pretrade_records::{
    Action, Decision, Event, EventFlags, EventKind, FeedState, LevelLimit, LimitsRecord, Order, OrderType, Phase, QuotesRecord, ReasonCode,
    ReferenceKind, Side, Tier, TimeInForce, Unit, Verdict, limits,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

macro_rules! layout {
    ($py:expr, $record:ty { $($field:ident : $format:literal),+ $(,)? }) => {{
        // NumPy structured dtype in its dictionary form: names, formats, offsets, itemsize.
        let dtype = PyDict::new($py);
        dtype.set_item("names", [$(stringify!($field)),+].to_vec())?;
        dtype.set_item("formats", [$($format),+].to_vec())?;
        dtype.set_item("offsets", [$(core::mem::offset_of!($record, $field)),+].to_vec())?;
        dtype.set_item("itemsize", core::mem::size_of::<$record>())?;
        dtype
    }};
}

macro_rules! code_set {
    ($py:expr, $m:expr, $($set:ty => $name:literal),+ $(,)?) => {
        $({
            let members = PyDict::new($py);
            for member in <$set>::ALL {
                members.set_item(member.name(), *member as u8)?;
            }
            $m.add($name, members)?;
        })+
    };
}

/// Fills the submodule.
pub(crate) fn fill(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    m.add(
        "EVENT",
        layout!(
            py,
            Event {
                ts_event: "<i8",
                ts_recv: "<i8",
                order_id: "<u8",
                price: "<i8",
                size: "<i8",
                sequence: "<u8",
                aux: "<u8",
                instrument_id: "<u4",
                kind: "u1",
                side: "u1",
                flags: "<u2",
            }
        ),
    )?;
    m.add(
        "ORDER",
        layout!(
            py,
            Order {
                client_order_id: "<u8",
                ts_event: "<i8",
                price: "<i8",
                quantity: "<i8",
                instrument_id: "<u4",
                strategy_id: "<u4",
                account_id: "<u4",
                side: "u1",
                order_type: "u1",
                time_in_force: "u1",
                action: "u1",
                flags: "<u4",
                session_id: "<u4",
                original_client_order_id: "<u8",
            }
        ),
    )?;
    m.add(
        "DECISION",
        layout!(
            py,
            Decision {
                client_order_id: "<u8",
                ts_event: "<i8",
                ts_decision: "<i8",
                mono_decision: "<i8",
                limit_version: "<u8",
                measured: "<i8",
                limit: "<i8",
                price: "<i8",
                quantity: "<i8",
                gate_sequence: "<u8",
                trip_id: "<u8",
                instrument_id: "<u4",
                strategy_id: "<u4",
                account_id: "<u4",
                limit_epoch: "<u4",
                score: "<f4",
                verdict: "u1",
                reason: "u1",
                unit: "u1",
                tier: "u1",
                stage: "u1",
                control: "u1",
                passed_as: "u1",
                side: "u1",
                action: "u1",
                warning: "u1",
                pad: "(10,)u1",
            }
        ),
    )?;
    m.add(
        "LIMITS",
        layout!(
            py,
            LimitsRecord {
                seq: "<u4",
                crc: "<u4",
                instrument_id: "<u4",
                strategy_id: "<u4",
                version: "<u8",
                epoch: "<u4",
                model_set: "<u4",
                mono_published: "<i8",
                trip_id: "<u8",
                channel: "<u2",
                tier: "u1",
                flags: "u1",
                reasons: "(3,)u1",
                pad: "u1",
                max_order_quantity: "<i8",
                max_order_notional: "<i8",
                position_max_long: "<i8",
                position_max_short: "<i8",
                collar_ticks: "<u4",
                collar_ppm: "<u4",
                passive_standoff_ticks: "<i4",
                drift_short_ticks: "<u4",
                drift_long_ticks: "<u4",
                max_depth_share_ppm: "<u4",
                max_volume_share_ppm: "<u4",
                max_adv_share_ppm: "<u4",
                spare: "<u8",
                ts_published: "<i8",
                ts_data: "<i8",
                score: "<f4",
                order_error_hold: "<f4",
                order_error_reject: "<f4",
                impact_budget_bps: "<f4",
                margin_multiplier_ppm: "<u4",
                concentration_ppm: "<u4",
                rate_new_per_s: "<u4",
                rate_replace_per_s: "<u4",
                velocity_ticks: "<u4",
                loss_trigger_ppm: "<u4",
                systemic_score: "<f4",
                valid_mask: "<u4",
            }
        ),
    )?;
    m.add(
        "QUOTES",
        layout!(
            py,
            QuotesRecord {
                seq: "<u4",
                crc: "<u4",
                instrument_id: "<u4",
                channel: "<u2",
                phase: "u1",
                feed_state: "u1",
                bid_price: "<i8",
                ask_price: "<i8",
                bid_size: "<i8",
                ask_size: "<i8",
                last_price: "<i8",
                mono_book: "<i8",
                slow_reference: "<i8",
                mid_10s: "<i8",
                mid_5m: "<i8",
                depth_bid: "<i8",
                depth_ask: "<i8",
                volume_1m: "<i8",
                adv: "<i8",
                ts_event: "<i8",
                ts_recv: "<i8",
                velocity_low: "<i8",
                velocity_high: "<i8",
                mono_last: "<i8",
                ts_last: "<i8",
                nbbo_bid: "<i8",
                nbbo_ask: "<i8",
                rv_1m: "<f4",
                spare: "<u4",
            }
        ),
    )?;
    code_set!(py, m, Tier => "TIERS", Side => "SIDES", Verdict => "VERDICTS", Phase => "PHASES", EventKind => "EVENT_KINDS",
        ReferenceKind => "REFERENCE_KINDS", Action => "ACTIONS", OrderType => "ORDER_TYPES", TimeInForce => "TIMES_IN_FORCE", ReasonCode => "REASON_CODES",
        VenueKind => "VENUE_KINDS", Unit => "UNITS", Parameter => "PARAMETERS",
        LevelLimit => "LEVEL_LIMITS");
    let tighter = PyDict::new(py);
    for p in Parameter::ALL {
        tighter.set_item(p.name(), if p.direction() == Direction::SmallerIsTighter { -1 } else { 1 })?;
    }
    m.add("DIRECTIONS", tighter)?;
    let tighter = PyDict::new(py);
    for limit in LevelLimit::ALL {
        let direction = match limit.direction() {
            Some(Direction::SmallerIsTighter) => -1,
            Some(Direction::BiggerIsTighter) => 1,
            None => 0,
        };
        tighter.set_item(limit.name(), direction)?;
    }
    m.add("LEVEL_LIMIT_DIRECTIONS", tighter)?;
    let levels = PyDict::new(py);
    for &level in pretrade_shm::Level::ALL {
        levels.set_item(level.name(), level.parameters().iter().map(|p| p.name()).collect::<Vec<_>>())?;
    }
    m.add("LEVEL_PARAMETERS", levels)?;
    let flags = PyDict::new(py);
    for (name, bit) in [
        ("LAST", EventFlags::LAST),
        ("SNAPSHOT", EventFlags::SNAPSHOT),
        ("GAP", EventFlags::GAP),
        ("CAUSED_BY_FILL", EventFlags::CAUSED_BY_FILL),
        ("INFORMATIVE", EventFlags::INFORMATIVE),
        ("DERIVED", EventFlags::DERIVED),
        ("SIDE_INFERRED", EventFlags::SIDE_INFERRED),
        ("RECAP", EventFlags::RECAP),
    ] {
        flags.set_item(name, bit)?;
    }
    m.add("EVENT_FLAGS", flags)?;
    let states = PyDict::new(py);
    for (name, bit) in [
        ("GAP", FeedState::GAP),
        ("STALE", FeedState::STALE),
        ("CROSSED", FeedState::CROSSED),
        ("LOCKED", FeedState::LOCKED),
        ("ONE_SIDED", FeedState::ONE_SIDED),
        ("NEGATIVE_LAG", FeedState::NEGATIVE_LAG),
        ("HALTED", FeedState::HALTED),
        ("RESYNC", FeedState::RESYNC),
    ] {
        states.set_item(name, bit)?;
    }
    m.add("FEED_STATES", states)?;
    let marks = PyDict::new(py);
    for (name, bit) in [
        ("TRIPPED", limits::flags::TRIPPED),
        ("PROVISIONAL", limits::flags::PROVISIONAL),
        ("MODEL_ABSENT", limits::flags::MODEL_ABSENT),
        ("FEED_FAULT", limits::flags::FEED_FAULT),
        ("STATIC", limits::flags::STATIC),
    ] {
        marks.set_item(name, bit)?;
    }
    m.add("LIMIT_FLAGS", marks)
}
