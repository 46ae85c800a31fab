// SPDX-License-Identifier: Apache-2.0
//! The order-error model: one folder of plain files, refused unless it scores its stored rows to the last bit.
//!
//! `model.txt` is LightGBM's text; `check.csv` holds rows and the raw scores LightGBM gave them; `manifest.json` names the
//! hashes of both, the two prevalences and the rule's two anchors. The trees' part of the score is their probability, moved from
//! the prevalence they were trained at to the one in use: logit p' = slope x raw + logit(use) - logit(train) (Saerens, Latinne
//! and Decaestecker 2002). The rule's part is the larger of size and price deviation, each in its own usual spread, put on the
//! same scale by a line in logits through the two anchors at which both spend equal false-positive budgets. The score is the larger.
//! `rule.scales` in the manifest divides size, an aggressive and a passive price by scales of their own before the larger is taken;
//! without it both are as they are and a passive price counts nothing.
use crate::lightgbm::{self, TextError};
use crate::{Forest, ShapeError};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};

/// Format this version reads.
pub const FORMAT: u64 = 1;
/// Rows a folder stores at least.
pub const FEWEST_ROWS: usize = 100;

/// Why a model folder is refused.
#[derive(Debug)]
pub struct FolderError {
    folder: PathBuf,
    text: String,
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order-error model {}: {}", self.folder.display(), self.text)
    }
}

impl std::error::Error for FolderError {}

impl From<TextError> for String {
    fn from(e: TextError) -> Self {
        format!("model.txt, {e}")
    }
}

impl From<ShapeError> for String {
    fn from(e: ShapeError) -> Self {
        format!("model.txt, {e}")
    }
}

/// Features the rule looks at.
const RULE: [&str; 2] = ["quantity_z", "aggression_volatility"];

/// The rule beside the trees: a line from its value to the logit of a score.
#[derive(Clone, Copy, Debug)]
struct Rule {
    places: [usize; 2],
    /// Of size, aggressive and passive price.
    scales: [f64; 3],
    slope: f64,
    offset: f64,
}

/// A model that scored its stored rows as LightGBM did.
#[derive(Clone, Debug)]
pub struct OrderErrorModel {
    forest: Forest,
    features: Vec<String>,
    slope: f64,
    shift: f64,
    rule: Option<Rule>,
    id: [u8; 32],
}

impl OrderErrorModel {
    /// Reads a folder, its hashes first, then the model, then the stored rows.
    ///
    /// # Errors
    /// When a file is absent, changed or malformed, or a stored row scores otherwise; the message names file, row and both scores.
    pub fn load(folder: &Path) -> Result<Self, FolderError> {
        load(folder).map_err(|text| FolderError { folder: folder.to_path_buf(), text })
    }

    /// Names of the features, in the order of a row.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// The trees.
    #[must_use]
    pub fn forest(&self) -> &Forest {
        &self.forest
    }

    /// SHA-256 of the manifest, which names the hashes of everything else.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        self.id
    }

    /// Probability that the order is an error at the prevalence in use, or the rule's place on that scale where it is higher; in
    /// [0, 1], NaN where the row does not fit.
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f32 {
        let trees = self.slope * self.forest.score(row) + self.shift;
        let logit = match &self.rule {
            Some(rule) if !trees.is_nan() => trees.max(rule.logit(row)),
            _ => trees,
        };
        (1.0 / (1.0 + (-logit).exp())) as f32
    }
}

impl Rule {
    /// Minus infinity where neither deviation is known.
    #[inline(always)]
    fn logit(&self, row: &[f32]) -> f64 {
        let [size, price] = self.places.map(|place| row[place]);
        let (size, price) = (f64::from(size), f64::from(price));
        let passive = if self.scales[2].is_finite() { -price / self.scales[2] } else { f64::NAN };
        // `max` ignores NaN.
        let value = (size / self.scales[0]).max(price / self.scales[1]).max(passive);
        if value.is_nan() { f64::NEG_INFINITY } else { self.slope * value + self.offset }
    }

    fn read(facts: &serde_json::Value, features: &[String]) -> Result<Option<Self>, String> {
        let rule = &facts["rule"];
        if rule.is_null() {
            return Ok(None);
        }
        let anchor = |name: &str| -> Result<(f64, f64), String> {
            let (cut, score) = (rule[name][0].as_f64(), rule[name][1].as_f64().filter(|p| *p > 0.0 && *p < 1.0));
            cut.zip(score).ok_or_else(|| format!("manifest.json has rule {name} {}; it must be a cut and a score between 0 and 1", rule[name]))
        };
        let ((hold, low), (reject, high)) = (anchor("hold")?, anchor("reject")?);
        let (low, high) = (of_odds(low), of_odds(high));
        if reject <= hold || high < low {
            return Err("manifest.json has a rule whose reject anchor lies below its hold anchor".into());
        }
        let place = |name: &str| features.iter().position(|f| f == name).ok_or_else(|| format!("the rule reads {name}; the model does not"));
        let slope = (high - low) / (reject - hold);
        Ok(Some(Rule { places: [place(RULE[0])?, place(RULE[1])?], scales: Self::scales(&rule["scales"])?, slope, offset: low - slope * hold }))
    }

    fn scales(told: &serde_json::Value) -> Result<[f64; 3], String> {
        if told.is_null() {
            return Ok([1.0, 1.0, f64::INFINITY]);
        }
        let mut out = [0.0; 3];
        for (i, scale) in out.iter_mut().enumerate() {
            *scale = told[i]
                .as_f64()
                .filter(|s| *s > 0.0)
                .ok_or_else(|| format!("manifest.json has rule scales {told}; it must be three numbers above 0"))?;
        }
        Ok(out)
    }
}

fn of_odds(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

fn load(folder: &Path) -> Result<OrderErrorModel, String> {
    let read = |name: &str| std::fs::read(folder.join(name)).map_err(|e| format!("{name} cannot be read: {e}"));
    let manifest = read("manifest.json")?;
    let facts: serde_json::Value = serde_json::from_slice(&manifest).map_err(|e| format!("manifest.json is malformed: {e}"))?;
    if facts["format"].as_u64() != Some(FORMAT) || facts["kind"].as_str() != Some("order_error") {
        return Err(format!(
            "manifest.json has format {} and kind {}; this version reads {FORMAT} and \"order_error\"",
            facts["format"], facts["kind"]
        ));
    }
    let checked = |name: &str| -> Result<String, String> {
        let bytes = read(name)?;
        let found = hex(&Sha256::digest(&bytes));
        if facts["files"][name].as_str() != Some(&found) {
            return Err(format!("{name} was changed after it was saved: its SHA-256 is {found}, the manifest says {}", facts["files"][name]));
        }
        String::from_utf8(bytes).map_err(|_| format!("{name} is no text"))
    };
    let model = lightgbm::parse(&checked("model.txt")?)?;
    let slope = model.sigmoid.ok_or("model.txt has no binary objective; its score is no probability")?;
    let forest = Forest::new(&model.trees, model.features.len())?;
    let shift = logit(&facts, "prevalence_use")? - logit(&facts, "prevalence_train")?;
    check_rows(&forest, &model.features, &checked("check.csv")?)?;
    let rule = Rule::read(&facts, &model.features)?;
    Ok(OrderErrorModel { forest, features: model.features, slope, shift, rule, id: Sha256::digest(&manifest).into() })
}

fn logit(facts: &serde_json::Value, name: &str) -> Result<f64, String> {
    let p = facts[name].as_f64().filter(|p| *p > 0.0 && *p < 1.0);
    let p = p.ok_or_else(|| format!("manifest.json has {name} {}; it must lie between 0 and 1", facts[name]))?;
    Ok(of_odds(p))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Scores every stored row and compares bits.
fn check_rows(forest: &Forest, features: &[String], text: &str) -> Result<(), String> {
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or("").split(',').collect();
    if head.split_last() != Some((&"raw", &features.iter().map(String::as_str).collect::<Vec<_>>()[..])) {
        return Err("check.csv does not begin with the model's features and \"raw\"".into());
    }
    let mut rows = 0;
    for (number, line) in lines.enumerate() {
        let bad = |word: &str| format!("check.csv, row {number}: {word:?} is no number");
        let words: Vec<&str> = line.split(',').collect();
        let (raw, values) = words.split_last().filter(|(_, v)| v.len() == features.len()).ok_or_else(|| {
            let (found, wanted) = (words.len(), features.len() + 1);
            format!("check.csv, row {number} has {found} values, not {wanted}")
        })?;
        let row: Result<Vec<f32>, String> = values.iter().map(|word| word.parse().map_err(|_| bad(word))).collect();
        let stored: f64 = raw.parse().map_err(|_| bad(raw))?;
        let scored = forest.score(&row?);
        if scored.to_bits() != stored.to_bits() {
            return Err(format!("check.csv, row {number} scores {scored:e}; LightGBM gave {stored:e}: it may not be used"));
        }
        rows += 1;
    }
    if rows < FEWEST_ROWS {
        return Err(format!("check.csv holds {rows} rows; at least {FEWEST_ROWS} must be compared"));
    }
    Ok(())
}
