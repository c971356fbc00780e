//! Files that are shipped beside the programs, held against what the code says: IAM policies, CloudWatch alarms, Prometheus rules, the
//! dashboard, the image. `HEADROOM_UPDATE_DOCS=1` writes the policies anew.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::string_slice, reason = "what is sliced is ASCII, and a test may panic")]

mod alarms;
mod iam;
mod image;
mod metrics;
mod prometheus;
mod promql;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file or folder of the repository.
fn path(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of)
}

fn read(of: &str) -> String {
    std::fs::read_to_string(path(of)).unwrap_or_else(|error| panic!("{of}: {error}"))
}

/// The names in a folder, sorted.
fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// All Rust sources below a folder, with their paths.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// YAML, with CloudFormation's short forms of functions taken away: `!Ref Topic` is `Topic`.
fn yaml(text: &str) -> Value {
    let mut plain = text.to_owned();
    for function in ["!Ref ", "!Sub ", "!Not ", "!Equals "] {
        plain = plain.replace(function, "");
    }
    serde_saphyr::from_str(&plain).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

/// Whether a page has the heading that a link's fragment names, as GitHub makes them.
fn has_heading(page: &str, fragment: &str) -> bool {
    let slug = |heading: &str| -> String {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    page.lines().any(|line| line.starts_with('#') && slug(line.trim_start_matches('#')) == fragment)
}
