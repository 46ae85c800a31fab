// SPDX-License-Identifier: Apache-2.0
//! The gate's own numbers as persons loaded them: the last configuration in the control journal, and nothing a caller passes.
use pretrade_gate::GateOptions;
use pretrade_gate::options::{MassCancel, SelfMatch};
use pretrade_journal::JournalReader;
use pretrade_records::units::{NS_PER_MS, NS_PER_S};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The model folder that the configuration names as the packaged one.
const STARTER: &str = "starter";
/// Settings that lie in the rows of `controls`, or that the gate does not read.
const ELSEWHERE: [&str; 2] = ["gate.fallback_factor", "gate.open_orders_max"];

/// What the configuration says of a gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Deadlines and windows.
    pub options: GateOptions,
    /// Folder of the order-error model, where one is configured.
    pub order_error: Option<PathBuf>,
}

/// Reads the settings of the last configuration in a control journal. `starter` is the folder of the packaged model.
///
/// # Errors
/// When there is no journal, it is damaged, holds no configuration, or one with a setting of the gate this library does not know.
pub fn read(journal: &Path, starter: Option<&Path>) -> Result<Settings, String> {
    let place = journal.display();
    let mut reader = JournalReader::open(journal).map_err(|e| e.to_string())?;
    let mut settings = None;
    while let Some((_, payload)) = reader.next_frame().map_err(|e| e.to_string())? {
        let entry: Value = serde_json::from_slice(payload).map_err(|e| format!("{place}: an entry is malformed: {e}"))?;
        if entry["fields"]["action"] == "configure" {
            settings = entry["fields"]["settings"].as_object().cloned();
        }
    }
    if let Some(problem) = reader.problems().first() {
        return Err(problem.to_string());
    }
    let settings = settings.ok_or_else(|| format!("{place}: holds no configuration; load one with `pretrade limits load`"))?;
    of(&settings, starter).map_err(|problem| format!("{place}: {problem}"))
}

fn of(settings: &Map<String, Value>, starter: Option<&Path>) -> Result<Settings, String> {
    let (mut options, mut order_error) = (GateOptions::default(), None);
    for (name, value) in settings {
        let number = |scale: i64| {
            let scaled = value.as_i64().and_then(|number| number.checked_mul(scale));
            scaled.ok_or_else(|| format!("{name} is {value}; it must be a whole number"))
        };
        let wrong = || format!("{name} is {value}; it does not fit");
        match name.as_str() {
            "gate.t1_ms" => options.t1_ns = number(NS_PER_MS)?,
            "gate.t2_ms" => options.t2_ns = number(NS_PER_MS)?,
            "gate.reference_ttl_ms" => options.reference_ttl_ns = number(NS_PER_MS)?,
            "gate.stale_order_ms" => options.stale_order_ns = number(NS_PER_MS)?,
            "gate.duplicate_window_ms" => options.duplicate_window_ns = number(NS_PER_MS)?,
            "gate.hold_timeout_s" => options.hold_timeout_ns = number(NS_PER_S)?,
            "gate.session_start_s" => options.session_start_ns = number(NS_PER_S)?,
            "gate.self_match" => options.self_match = self_match(value).ok_or_else(wrong)?,
            "gate.mass_cancel" => options.mass_cancel = mass_cancel(value).ok_or_else(wrong)?,
            "gate.disconnect_grace_ms" => options.disconnect_grace_ns = if value.is_null() { -1 } else { number(NS_PER_MS)? },
            "gate.drop_copy_ms" => options.drop_copy_ns = number(NS_PER_MS)?,
            "gate.clock_jump_ms" => options.clock_jump_ns = number(NS_PER_MS)?,
            "gate.fallback_standoff_ticks" => options.fallback_standoff_ticks = i32::try_from(number(1)?).map_err(|_| wrong())?,
            "gate.duplicate_count" => options.duplicate_count = u32::try_from(number(1)?).map_err(|_| wrong())?,
            "gate.hold_second_notional" => options.hold_second_notional = if value.is_null() { i64::MAX } else { number(1)? },
            "gate.hold_controls" => options.hold_controls = bits(value).ok_or_else(wrong)?,
            "gate.order_error_model" => order_error = folder(value, starter)?,
            "hysteresis.ramp_s" => options.ramp_ns = value.as_f64().map(|s| ((s * NS_PER_S as f64).round() as i64).max(1)).ok_or_else(wrong)?,
            other if other.starts_with("gate.") && !ELSEWHERE.contains(&other) => {
                return Err(format!("{other} is a setting this library does not know; it was built for an older configuration"));
            }
            _ => {}
        }
    }
    Ok(Settings { options, order_error })
}

fn self_match(value: &Value) -> Option<SelfMatch> {
    Some(match value.as_str()? {
        "off" => SelfMatch::Off,
        "account" => SelfMatch::Account,
        "firm" => SelfMatch::Firm,
        _ => return None,
    })
}

fn mass_cancel(value: &Value) -> Option<MassCancel> {
    Some(match value.as_str()? {
        "off" => MassCancel::Off,
        "day" => MassCancel::Day,
        "all" => MassCancel::All,
        _ => return None,
    })
}

fn bits(controls: &Value) -> Option<u64> {
    if controls.is_null() {
        return Some(0);
    }
    let numbers: Option<Vec<u64>> = controls.as_array()?.iter().map(|c| c.as_u64().filter(|c| (1..63).contains(c))).collect();
    Some(numbers?.iter().fold(0, |bits, control| bits | 1 << control))
}

fn folder(name: &Value, starter: Option<&Path>) -> Result<Option<PathBuf>, String> {
    match name.as_str() {
        None => Ok(None),
        Some(STARTER) => {
            let folder = starter.ok_or("gate.order_error_model is \"starter\"; name its folder in starter_model")?;
            Ok(Some(folder.to_path_buf()))
        }
        Some(path) => Ok(Some(PathBuf::from(path))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_of(settings: Value) -> Result<Settings, String> {
        of(settings.as_object().unwrap(), Some(Path::new("/models/starter")))
    }

    #[test]
    fn settings_are_the_numbers_that_were_loaded() {
        let told = read_of(json!({
            "gate.t1_ms": 7, "gate.self_match": "firm", "gate.session_start_s": 3, "gate.hold_controls": [12, 26], "gate.hold_second_notional": null, "gate.order_error_model": "starter",
            "gate.fallback_factor": 0.5, "hysteresis.ramp_s": 2.5, "tiers.standoff_ticks": 5,
        }));
        let told = told.unwrap();
        assert_eq!((told.options.t1_ns, told.options.ramp_ns, told.options.hold_controls), (7_000_000, 2_500_000_000, 1 << 12 | 1 << 26));
        assert_eq!((told.options.self_match, told.options.session_start_ns), (SelfMatch::Firm, 3_000_000_000));
        assert_eq!(told.options.hold_second_notional, i64::MAX);
        assert_eq!(told.order_error, Some(PathBuf::from("/models/starter")));
    }

    #[test]
    fn a_setting_that_is_not_understood_is_no_default() {
        for (settings, said) in [
            (json!({"gate.new_control_ms": 5}), "gate.new_control_ms is a setting this library does not know"),
            (json!({"gate.t1_ms": "soon"}), "gate.t1_ms is \"soon\"; it must be a whole number"),
            (json!({"gate.t1_ms": i64::MAX}), "it must be a whole number"),
            (json!({"gate.self_match": "nobody"}), "does not fit"),
            (json!({"gate.mass_cancel": "some"}), "does not fit"),
            (json!({"gate.hold_controls": [0]}), "does not fit"),
            (json!({"gate.duplicate_count": -1}), "does not fit"),
        ] {
            assert!(read_of(settings).unwrap_err().contains(said));
        }
        assert!(of(json!({"gate.order_error_model": "starter"}).as_object().unwrap(), None).unwrap_err().contains("starter_model"));
    }
}
