// SPDX-License-Identifier: Apache-2.0
//! LightGBM's text model: what its trees say, and nothing that this crate could not score exactly.
//!
//! Format: LightGBM `GBDT::SaveModelToString` and `Tree::ToString`, versions `v3` and `v4`. Refused are categorical splits,
//! linear leaves, several classes and averaged output: a model that uses them must not be scored almost right.
use std::fmt;
use std::str::FromStr;

/// Leaves a tree may have at most; the scorer's 16-bit places hold eight such trees.
pub const MOST_LEAVES: usize = 4_096;
const MOST_FEATURES: usize = 4_096;

/// Why a text is no model this crate scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError(pub String);

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TextError {}

/// What a split treats as missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// Nothing: NaN counts as 0.
    None,
    /// 0, and NaN as 0.
    Zero,
    /// NaN.
    Nan,
}

/// Where a branch of a split leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// To another split.
    Split(usize),
    /// To a leaf.
    Leaf(usize),
}

/// One numerical split: left where `value <= threshold`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// Index of the feature.
    pub feature: usize,
    /// Bound, inclusive on the left.
    pub threshold: f64,
    /// What goes the default way.
    pub missing: Missing,
    /// The default way is left.
    pub is_default_left: bool,
    /// Left branch.
    pub left: Child,
    /// Right branch.
    pub right: Child,
}

/// One tree; split 0 is its root, a tree without splits is its only leaf.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Splits.
    pub splits: Vec<Split>,
    /// Leaf values.
    pub leaves: Vec<f64>,
}

/// What the text says.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Names of the features, in the order of a row.
    pub features: Vec<String>,
    /// Trees, in the order their leaves are added.
    pub trees: Vec<Tree>,
    /// Slope of the sigmoid of a binary objective; `None` for any other objective.
    pub sigmoid: Option<f64>,
}

/// Lines of one section, `key=value`.
struct Section<'a> {
    name: String,
    fields: Vec<(&'a str, &'a str)>,
    flags: Vec<&'a str>,
}

impl<'a> Section<'a> {
    fn error(&self, text: impl fmt::Display) -> TextError {
        TextError(format!("{}: {text}", self.name))
    }

    fn find(&self, key: &str) -> Option<&'a str> {
        self.fields.iter().find(|(k, _)| *k == key).map(|(_, value)| *value)
    }

    fn get(&self, key: &str) -> Result<&'a str, TextError> {
        self.find(key).ok_or_else(|| self.error(format_args!("{key} is absent")))
    }

    fn one<T: FromStr>(&self, key: &str) -> Result<T, TextError> {
        let text = self.get(key)?;
        text.trim().parse().map_err(|_| self.error(format_args!("{key} is {text:?}; that is no number")))
    }

    fn many<T: FromStr>(&self, key: &str, count: usize) -> Result<Vec<T>, TextError> {
        let words: Vec<&str> = self.get(key)?.split_ascii_whitespace().collect();
        if words.len() != count {
            return Err(self.error(format_args!("{key} has {} values, not {count}", words.len())));
        }
        let parse = |word: &&str| word.parse().map_err(|_| self.error(format_args!("{key} holds {word:?}; that is no number")));
        words.iter().map(parse).collect()
    }

    fn refuse_unless(&self, key: &str, wanted: &str, why: &str) -> Result<(), TextError> {
        match self.find(key) {
            Some(value) if value.trim() == wanted => Ok(()),
            Some(value) => Err(self.error(format_args!("{key} is {value}; {why}"))),
            None => Ok(()),
        }
    }
}

/// Reads a text model.
///
/// # Errors
/// Where the text is malformed, cut off, or uses what the scorer does not implement; the message names the section and the field.
pub fn parse(text: &str) -> Result<Model, TextError> {
    let mut lines = text.lines().map(|line| line.trim_end_matches('\r'));
    if lines.next() != Some("tree") {
        return Err(TextError("the first line is not \"tree\"; this is no LightGBM text model".into()));
    }
    let (head, sections) = sections(lines)?;
    if !matches!(head.get("version")?, "v3" | "v4") {
        return Err(head.error(format_args!("version is {}; known are v3 and v4", head.get("version")?)));
    }
    head.refuse_unless("num_class", "1", "one class only")?;
    head.refuse_unless("num_tree_per_iteration", "1", "one tree an iteration only")?;
    if head.flags.contains(&"average_output") {
        return Err(head.error("average_output is set; averaged trees are not scored here"));
    }
    let width: usize = head.one::<usize>("max_feature_idx")?.saturating_add(1);
    if width > MOST_FEATURES {
        return Err(head.error(format_args!("{width} features; at most {MOST_FEATURES} are read")));
    }
    let features: Vec<String> = head.many("feature_names", width)?;
    let told = head.get("tree_sizes")?.split_ascii_whitespace().count();
    if told != sections.len() {
        return Err(head.error(format_args!("tree_sizes lists {told} trees, the text holds {}", sections.len())));
    }
    let sigmoid = sigmoid(&head)?;
    let trees: Result<Vec<Tree>, TextError> = sections.iter().map(|section| tree(section, width)).collect();
    Ok(Model { features, trees: trees?, sigmoid })
}

/// Splits the text into its head and one section a tree.
fn sections<'a>(lines: impl Iterator<Item = &'a str>) -> Result<(Section<'a>, Vec<Section<'a>>), TextError> {
    let new = |name: String| Section { name, fields: Vec::new(), flags: Vec::new() };
    let (mut head, mut trees) = (new("head".into()), Vec::<Section<'a>>::new());
    for line in lines {
        if line == "end of trees" {
            return Ok((head, trees));
        }
        if let Some(number) = line.strip_prefix("Tree=") {
            if number.parse() != Ok(trees.len()) {
                return Err(TextError(format!("Tree={number} stands where tree {} belongs", trees.len())));
            }
            trees.push(new(format!("tree {number}")));
            continue;
        }
        let section = trees.last_mut().unwrap_or(&mut head);
        match line.split_once('=') {
            Some((key, _)) if section.find(key).is_some() => return Err(section.error(format_args!("{key} stands there twice"))),
            Some((key, value)) => section.fields.push((key, value)),
            None if line.trim().is_empty() => {}
            None => section.flags.push(line.trim()),
        }
    }
    Err(TextError("the line \"end of trees\" is absent; the model was cut off".into()))
}

fn sigmoid(head: &Section<'_>) -> Result<Option<f64>, TextError> {
    let objective = head.find("objective").unwrap_or("");
    let mut words = objective.split_ascii_whitespace();
    if words.next() != Some("binary") {
        return Ok(None);
    }
    let slope = words.find_map(|word| word.strip_prefix("sigmoid:")).and_then(|slope| slope.parse::<f64>().ok());
    match slope {
        Some(slope) if slope.is_finite() && slope > 0.0 => Ok(Some(slope)),
        _ => Err(head.error(format_args!("objective is {objective:?}; a binary one names its sigmoid, above 0"))),
    }
}

fn tree(section: &Section<'_>, width: usize) -> Result<Tree, TextError> {
    let count: usize = section.one("num_leaves")?;
    if count == 0 || count > MOST_LEAVES {
        return Err(section.error(format_args!("num_leaves is {count}; it must be from 1 to {MOST_LEAVES}")));
    }
    section.refuse_unless("num_cat", "0", "categorical splits are not scored here")?;
    section.refuse_unless("is_linear", "0", "linear leaves are not scored here")?;
    let leaves: Vec<f64> = section.many("leaf_value", count)?;
    if let Some(value) = leaves.iter().find(|v| !v.is_finite()) {
        return Err(section.error(format_args!("leaf_value holds {value}; leaves are finite")));
    }
    let tree = Tree { splits: if count == 1 { Vec::new() } else { splits(section, count, width)? }, leaves };
    is_one_tree(&tree).then_some(()).ok_or_else(|| section.error("its branches do not reach every split and every leaf exactly once"))?;
    Ok(tree)
}

fn splits(section: &Section<'_>, leaves: usize, width: usize) -> Result<Vec<Split>, TextError> {
    let n = leaves - 1;
    let features: Vec<usize> = section.many("split_feature", n)?;
    let thresholds: Vec<f64> = section.many("threshold", n)?;
    let kinds: Vec<u8> = section.many("decision_type", n)?;
    let (lefts, rights): (Vec<i64>, Vec<i64>) = (section.many("left_child", n)?, section.many("right_child", n)?);
    let child = |value: i64| {
        // A leaf i is written as -i - 1, which is its complement.
        let (place, bound) = if value < 0 { (!value, leaves) } else { (value, n) };
        let place = usize::try_from(place).ok().filter(|p| *p < bound);
        let place = place.ok_or_else(|| section.error(format_args!("a branch leads to {value}; there are {n} splits and {leaves} leaves")))?;
        Ok(if value < 0 { Child::Leaf(place) } else { Child::Split(place) })
    };
    (0..n)
        .map(|i| {
            let (feature, threshold, kind) = (features[i], thresholds[i], kinds[i]);
            if feature >= width {
                return Err(section.error(format_args!("split {i} reads feature {feature}; there are {width}")));
            }
            // Infinity is one: only NaN goes right of it.
            if threshold.is_nan() {
                return Err(section.error(format_args!("split {i} has threshold NaN; thresholds are numbers")));
            }
            // Bit 0: categorical; bit 1: default left; bits 2 and 3: what is missing.
            let missing = match (kind & 1, kind >> 2) {
                (0, 0) => Missing::None,
                (0, 1) => Missing::Zero,
                (0, 2) => Missing::Nan,
                _ => return Err(section.error(format_args!("split {i} has decision_type {kind}; known are numerical ones with missing type 0 to 2"))),
            };
            Ok(Split { feature, threshold, missing, is_default_left: kind & 2 != 0, left: child(lefts[i])?, right: child(rights[i])? })
        })
        .collect()
}

/// True where every split but the root, and every leaf, is somebody's child exactly once and hangs on the root.
fn is_one_tree(tree: &Tree) -> bool {
    let (mut splits, mut leaves) = (vec![false; tree.splits.len()], vec![false; tree.leaves.len()]);
    let mut open = vec![if tree.splits.is_empty() { Child::Leaf(0) } else { Child::Split(0) }];
    while let Some(child) = open.pop() {
        let seen = match child {
            Child::Split(i) => &mut splits[i],
            Child::Leaf(i) => &mut leaves[i],
        };
        if std::mem::replace(seen, true) {
            return false;
        }
        if let Child::Split(i) = child {
            open.extend([tree.splits[i].left, tree.splits[i].right]);
        }
    }
    splits.iter().chain(&leaves).all(|seen| *seen)
}
