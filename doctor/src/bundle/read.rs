//! A bundle's file, read with errors that say where.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Bundle;

/// The version of the format that is written and read.
pub const VERSION: u32 = 1;

/// A part of a bundle: what was read, or why it was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section<T> {
    /// It was read to its end.
    Read(T),
    /// Why it was not, in words of whoever refused.
    NotRead(String),
}

impl<T> Default for Section<T> {
    fn default() -> Section<T> {
        Section::NotRead("it was not collected".to_owned())
    }
}

impl<T> Section<T> {
    /// What was read.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        match self {
            Section::Read(value) => Some(value),
            Section::NotRead(_) => None,
        }
    }

    /// The same with what `f` makes of what was read.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Section<U> {
        match self {
            Section::Read(value) => Section::Read(f(value)),
            Section::NotRead(why) => Section::NotRead(why),
        }
    }

    /// Why nothing was.
    #[must_use]
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Section::Read(_) => None,
            Section::NotRead(why) => Some(why),
        }
    }
}

impl<T, E: std::fmt::Display> From<Result<T, E>> for Section<T> {
    fn from(result: Result<T, E>) -> Section<T> {
        match result {
            Ok(value) => Section::Read(value),
            // With its causes, where the error has them.
            Err(error) => Section::NotRead(format!("{error:#}")),
        }
    }
}

/// Why a file is no bundle.
#[derive(Debug, Error)]
pub enum BundleError {
    /// It is no JSON, or no object with a version.
    #[error("this is no bundle: {0}; headroom-advisor doctor collect --output FILE writes one")]
    NoBundle(serde_json::Error),
    /// Its version is another one.
    #[error(
        "version is {0}, and this program reads {VERSION}: collect anew with this program's doctor collect, or use the program that \
         wrote it"
    )]
    Version(u32),
    /// A key lacks or has a value that is none of its values.
    #[error("{key}: {source}")]
    Key {
        /// The path of the key.
        key: String,
        /// What is wrong with its value.
        source: serde_json::Error,
    },
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

pub(super) fn parse(text: &str) -> Result<Bundle, BundleError> {
    let Versioned { version } = serde_json::from_str(text).map_err(BundleError::NoBundle)?;
    if version != VERSION {
        return Err(BundleError::Version(version));
    }
    let json = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(json)
        .map_err(|error| BundleError::Key { key: error.path().to_string(), source: error.into_inner() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Bundle>().unwrap_err().to_string()
    }

    #[test]
    fn a_bundle_comes_back_as_it_was_written() {
        let mut bundle = Bundle::new("prod", 7);
        bundle.pods = Section::Read(Vec::new());
        bundle.nodes = Section::NotRead("nodes is forbidden".to_owned());
        let text = bundle.to_json().unwrap();
        assert_eq!(text.parse::<Bundle>().unwrap().to_json().unwrap(), text);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        assert!(error("hello").starts_with("this is no bundle: expected value at line 1"));
        assert!(error("{}").contains("missing field `version`"));
        assert!(error(r#"{"version": 9}"#).starts_with("version is 9, and this program reads 1:"));
        let head = r#"{"version": 1, "collected_at_ms": 0, "cluster": "c", "#;
        let key = error(&(head.to_owned() + r#""pods": {"read": [{"namespace": 3}]}}"#));
        assert!(key.starts_with("pods.read[0].namespace: invalid type: integer `3`, expected a string"), "{key}");
        let unknown = error(&(head.to_owned() + r#""secrets": []}"#));
        assert!(unknown.contains("unknown field `secrets`, expected one of `version`"), "{unknown}");
    }
}
