// SPDX-License-Identifier: Apache-2.0
//! Data dictionaries in the QuickFIX XML format, read from files that the user names; none is shipped but our fragment.
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// A dictionary that cannot be used.
#[derive(Clone, Debug)]
pub struct DictionaryError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for DictionaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FIX dictionary {}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for DictionaryError {}

/// How the value of a field must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Anything.
    Text,
    /// One character.
    Char,
    /// Y or N.
    Boolean,
    /// A whole number.
    Integer,
    /// A decimal.
    Float,
    /// UTCTimestamp.
    Timestamp,
    /// `YYYYMMDD`.
    Date,
    /// `HH:MM:SS` with or without a fraction.
    Time,
}

/// One field.
#[derive(Clone, Debug)]
pub struct FieldDefinition {
    /// How its value must look.
    pub format: Format,
    /// Values allowed, empty = any.
    pub values: HashSet<Vec<u8>>,
    /// Several values, separated by spaces.
    pub is_multiple: bool,
}

/// A repeating group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// First field of every entry.
    pub delimiter: u32,
    /// Fields of an entry.
    pub members: Members,
}

/// Fields of a header, a message or a group entry.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Every field, group counts included.
    pub fields: HashSet<u32>,
    /// Those that must be there, ascending.
    pub required: BTreeSet<u32>,
    /// Groups by their count field.
    pub groups: HashMap<u32, Group>,
}

/// A dictionary, or a transport and an application dictionary together.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    /// Fields by tag.
    pub fields: HashMap<u32, FieldDefinition>,
    /// Messages by type.
    pub messages: HashMap<Vec<u8>, Members>,
    /// The header.
    pub header: Members,
    /// The trailer.
    pub trailer: Members,
    /// Tags that messages of the session layer may carry: those of the first file.
    pub transport: HashSet<u32>,
}

impl Dictionary {
    /// Reads one file, or for FIXT the transport's and the application's.
    ///
    /// # Errors
    /// When a file cannot be read, is no XML, or names a field or component it does not define.
    pub fn load(paths: &[PathBuf]) -> Result<Self, DictionaryError> {
        let mut out = Dictionary::default();
        for path in paths {
            let text = std::fs::read_to_string(path).map_err(|e| refuse(path, format!("cannot be read: {e}")))?;
            out.take(path, &text)?;
        }
        Ok(out)
    }

    /// Adds the fields and messages of one file.
    fn take(&mut self, path: &Path, text: &str) -> Result<(), DictionaryError> {
        let document = roxmltree::Document::parse(text).map_err(|e| refuse(path, format!("is no XML: {e}")))?;
        let root = document.root_element();
        let is_first = self.fields.is_empty();
        let section = |name: &str| root.children().find(|n| n.has_tag_name(name));
        let mut reader = Reader { path, tags: HashMap::new(), components: HashMap::new() };
        for node in section("fields").into_iter().flat_map(|n| n.children()).filter(|n| n.has_tag_name("field")) {
            let (tag, definition) = reader.field(node)?;
            if is_first {
                self.transport.insert(tag);
            }
            self.fields.insert(tag, definition);
        }
        for node in section("components").into_iter().flat_map(|n| n.children()).filter(|n| n.has_tag_name("component")) {
            reader.components.insert(node.attribute("name").unwrap_or_default(), node);
        }
        for (name, into) in [("header", &mut self.header), ("trailer", &mut self.trailer)] {
            if let Some(node) = section(name) {
                reader.members(node, true, into, 0)?;
            }
        }
        for node in section("messages").into_iter().flat_map(|n| n.children()).filter(|n| n.has_tag_name("message")) {
            let mut members = Members::default();
            reader.members(node, true, &mut members, 0)?;
            self.messages.insert(node.attribute("msgtype").unwrap_or_default().as_bytes().to_vec(), members);
        }
        Ok(())
    }
}

const DEEPEST: usize = 64;

struct Reader<'a, 'input> {
    path: &'a Path,
    tags: HashMap<&'a str, u32>,
    components: HashMap<&'a str, roxmltree::Node<'a, 'input>>,
}

impl<'a, 'input> Reader<'a, 'input> {
    fn field(&mut self, node: roxmltree::Node<'a, 'input>) -> Result<(u32, FieldDefinition), DictionaryError> {
        let name = node.attribute("name").unwrap_or_default();
        let tag = node.attribute("number").and_then(|n| n.parse().ok()).ok_or_else(|| refuse(self.path, format!("field {name:?} has no number")))?;
        self.tags.insert(name, tag);
        let kind = node.attribute("type").unwrap_or("STRING");
        let values = node.children().filter(|n| n.has_tag_name("value")).filter_map(|n| n.attribute("enum"));
        let values = values.map(|v| v.as_bytes().to_vec()).collect();
        Ok((tag, FieldDefinition { format: format_of(kind), values, is_multiple: kind.starts_with("MULTIPLE") }))
    }

    fn tag(&self, node: roxmltree::Node<'a, 'input>) -> Result<u32, DictionaryError> {
        let name = node.attribute("name").unwrap_or_default();
        self.tags.get(name).copied().ok_or_else(|| refuse(self.path, format!("field {name:?} is used and not defined")))
    }

    fn members(&self, node: roxmltree::Node<'a, 'input>, is_required: bool, into: &mut Members, depth: usize) -> Result<(), DictionaryError> {
        if depth > DEEPEST {
            return Err(refuse(self.path, format!("components are nested deeper than {DEEPEST}")));
        }
        for child in node.children().filter(roxmltree::Node::is_element) {
            let is_required = is_required && child.attribute("required") == Some("Y");
            if child.has_tag_name("component") {
                let name = child.attribute("name").unwrap_or_default();
                let component = self.components.get(name).ok_or_else(|| refuse(self.path, format!("component {name:?} is used and not defined")))?;
                self.members(*component, is_required, into, depth + 1)?;
                continue;
            }
            let tag = self.tag(child)?;
            into.fields.insert(tag);
            if is_required {
                into.required.insert(tag);
            }
            if child.has_tag_name("group") {
                let mut group = Group { delimiter: self.first(child, depth)?, members: Members::default() };
                self.members(child, false, &mut group.members, depth + 1)?;
                into.groups.insert(tag, group);
            }
        }
        Ok(())
    }

    /// The field every entry of a group begins with.
    fn first(&self, node: roxmltree::Node<'a, 'input>, depth: usize) -> Result<u32, DictionaryError> {
        let child = node.children().find(roxmltree::Node::is_element);
        match child {
            Some(child) if child.has_tag_name("component") && depth < DEEPEST => {
                let name = child.attribute("name").unwrap_or_default();
                let component = self.components.get(name).ok_or_else(|| refuse(self.path, format!("component {name:?} is used and not defined")))?;
                self.first(*component, depth + 1)
            }
            Some(child) => self.tag(child),
            None => Ok(0),
        }
    }
}

fn format_of(kind: &str) -> Format {
    match kind {
        "CHAR" => Format::Char,
        "BOOLEAN" => Format::Boolean,
        "INT" | "LENGTH" | "SEQNUM" | "NUMINGROUP" | "TAGNUM" | "DAYOFMONTH" => Format::Integer,
        "PRICE" | "QTY" | "AMT" | "FLOAT" | "PERCENTAGE" | "PRICEOFFSET" | "QUANTITY" => Format::Float,
        "UTCTIMESTAMP" | "TIME" => Format::Timestamp,
        "UTCDATEONLY" | "UTCDATE" | "LOCALMKTDATE" | "DATE" => Format::Date,
        "UTCTIMEONLY" => Format::Time,
        _ => Format::Text,
    }
}

fn refuse(path: &Path, problem: String) -> DictionaryError {
    DictionaryError { path: path.to_owned(), problem }
}
