// SPDX-License-Identifier: Apache-2.0
//! Words of a decision, made from its codes off the hot path (FIX 58 without its prefix).
use pretrade_records::units::PRICE_SCALE;
use pretrade_records::{Decision, ReasonCode, Tier, Unit, Verdict};
use std::fmt::Write;

/// `ORDER_EXCEEDS_LIMIT quantity=200 limit=50 unit=lots ver=8123 tier=HIGH`.
#[must_use]
pub fn text(decision: &Decision) -> String {
    let mut out = ReasonCode::try_from(decision.reason).map_or("UNKNOWN", ReasonCode::name).to_owned();
    let unit = Unit::try_from(decision.unit).unwrap_or(Unit::None);
    if unit != Unit::None {
        let (measured, label) = number(decision.measured, unit);
        let (limit, _) = number(decision.limit, unit);
        let _ = write!(out, " {}={measured} limit={limit} unit={label}", measured_name(decision.control, unit));
    } else if decision.reason == ReasonCode::InputMissing as u8 {
        let _ = write!(out, " input={}", missing_name(decision.control));
    } else if decision.trip_id != 0 {
        let _ = write!(out, " trip={}", decision.trip_id);
    }
    let tier = Tier::try_from(decision.tier).map_or("UNKNOWN", Tier::name);
    let _ = write!(out, " ver={} tier={tier}", decision.limit_version);
    if decision.stage > 0 {
        let _ = write!(out, " stage={}", decision.stage);
    }
    out
}

/// Verdict, then the words of the reason where there is one.
#[must_use]
pub fn line(decision: &Decision) -> String {
    let verdict = Verdict::try_from(decision.verdict).map_or("UNKNOWN", Verdict::name);
    if decision.reason == 0 { verdict.to_owned() } else { format!("{verdict} {}", text(decision)) }
}

fn number(value: i64, unit: Unit) -> (String, &'static str) {
    match unit {
        Unit::Price => (decimal(value), "price"),
        Unit::Score => (decimal(value), "score"),
        Unit::Nanoseconds => ((value / 1_000_000).to_string(), "ms"),
        other => (value.to_string(), other.name()),
    }
}

/// A 1e-9 number without trailing zeros.
fn decimal(value: i64) -> String {
    let (whole, part) = (value.unsigned_abs() / PRICE_SCALE as u64, value.unsigned_abs() % PRICE_SCALE as u64);
    let text = format!("{}{whole}.{part:09}", if value < 0 { "-" } else { "" });
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a control measures.
fn measured_name(control: u8, unit: Unit) -> &'static str {
    match control {
        4 | 7 if unit == Unit::Lots => "quantity",
        7 if unit == Unit::Money => "notional",
        7 => "phase",
        8 | 12 | 14 => "quantity",
        13 => "notional",
        4 | 15 | 17 | 30 => "price",
        16 => "distance_ticks",
        6 | 18 => "position",
        42 if unit == Unit::Lots => "position",
        42 => "age_ms",
        43 => "jump_ms",
        19 => "exposure",
        20 => "accumulated",
        21 => "margin",
        22 => "concentration",
        23 => "loss",
        25 => "executions",
        29 => "messages_per_fill",
        32 => "move_ticks",
        10 | 31 => "age_ms",
        24 => "rate",
        26 => "copies",
        28 => "open_orders",
        _ => "measured",
    }
}

/// The input a control lacked.
fn missing_name(control: u8) -> &'static str {
    match control {
        13 => "value_per_tick_lot",
        14 => "adv",
        17 => "window_reference",
        6 | 18 => "position",
        7 | 20 => "price",
        19 => "position_value",
        21 => "initial_margin",
        22 => "bucket_weights_or_reference",
        23 => "mark",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mission_sentence() {
        let decision = Decision {
            verdict: 3,
            reason: ReasonCode::OrderExceedsLimit as u8,
            control: 12,
            unit: Unit::Lots as u8,
            measured: 200,
            limit: 50,
            limit_version: 8123,
            tier: Tier::High as u8,
            ..Default::default()
        };
        assert_eq!(line(&decision), "REJECT ORDER_EXCEEDS_LIMIT quantity=200 limit=50 unit=lots ver=8123 tier=HIGH");
    }

    #[test]
    fn prices_and_ages_are_printed_in_human_units() {
        let mut decision =
            Decision { reason: 19, control: 15, unit: Unit::Price as u8, measured: 4_800_250_000_000, limit: -500_000_000, ..Default::default() };
        assert!(text(&decision).starts_with("PRICE_OUTSIDE_COLLAR price=4800.25 limit=-0.5 unit=price"));
        decision = Decision { reason: 14, control: 10, unit: Unit::Nanoseconds as u8, measured: 1_500_000_000, limit: 1_000_000_000, ..decision };
        assert!(text(&decision).starts_with("LIMITS_STALE age_ms=1500 limit=1000 unit=ms"));
    }
}
