//! From text to a scenario, or to errors that say what to change.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_saphyr::Error as YamlError;

use super::{Scenario, check};

/// Everything that is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The file.
    pub file: String,
    /// What is wrong, in the file's order.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, `nodeGroups[0].subnets[1]`; empty for the file as a whole.
    pub path: String,
    /// The value, what is allowed, and the nearest allowed one.
    pub message: String,
    /// Line and column, counted from 1, where they are known.
    pub location: Option<(u64, u64)>,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            write!(f, "{newline}{}:", self.file)?;
            if let Some((line, column)) = problem.location {
                write!(f, "{line}:{column}:")?;
            }
            if !problem.path.is_empty() {
                write!(f, " {}:", problem.path)?;
            }
            write!(f, " {}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, is not YAML of the schema, or refers to what is not there.
    pub fn load(path: &Path) -> Result<Scenario, ScenarioError> {
        let file = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Scenario::parse(&file, &text),
            Err(error) => {
                let message = format!("cannot be read: {error}; `headroom-lab list` names the bundled scenarios");
                Err(ScenarioError { file, problems: vec![Problem { path: String::new(), message, location: None }] })
            }
        }
    }

    /// Parses and checks `text`; `file` is for error messages.
    ///
    /// # Errors
    /// When it is not YAML of the schema, or refers to what is not there.
    pub fn parse(file: &str, text: &str) -> Result<Scenario, ScenarioError> {
        let mut path = String::new();
        let parsed = serde_saphyr::with_deserializer_from_str(text, |deserializer| {
            serde_path_to_error::deserialize::<_, Scenario>(deserializer).map_err(|error| {
                path = error.path().to_string();
                error.into_inner()
            })
        });
        let problems = match parsed {
            Ok(scenario) => {
                let problems = check::problems(&scenario);
                if problems.is_empty() {
                    return Ok(scenario);
                }
                problems
            }
            Err(error) => vec![yaml_problem(&error, &path, text)],
        };
        Err(ScenarioError { file: file.to_owned(), problems })
    }
}

fn yaml_problem(error: &YamlError, path: &str, text: &str) -> Problem {
    let error = error.without_snippet();
    let location = error.location().map(|at| (at.line(), at.column()));
    // `?` is a key that was not read yet, `.` the file.
    let path = path.trim_end_matches('?').trim_end_matches('.').to_owned();
    Problem { path, message: message(error, scalar_at(text, location)), location }
}

fn message(error: &YamlError, value: &str) -> String {
    match error {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key '{field}'{}; allowed: {}", did_you_mean(field, expected), expected.join(", "))
        }
        YamlError::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown value '{variant}'{}; allowed: {}", did_you_mean(variant, expected), expected.join(", "))
        }
        YamlError::SerdeMissingField { field, .. } => format!("key '{field}' is missing"),
        YamlError::DuplicateMappingKey { key: Some(key), .. } => format!("key '{key}' is given twice"),
        YamlError::InvalidScalar { ty: "u32", .. } => {
            format!("'{value}' is not a whole number from 0 to {}", u32::MAX)
        }
        YamlError::InvalidScalar { ty: "u64", .. } => {
            format!("'{value}' is not a whole number from 0 to {}", u64::MAX)
        }
        YamlError::InvalidScalar { ty: "floating point", .. } => format!("'{value}' is not a number"),
        YamlError::InvalidScalar { ty: "boolean", .. } => format!("'{value}' is neither true nor false"),
        YamlError::Unexpected { expected: "mapping start", .. } => {
            "a mapping of keys to values is expected here; `headroom-lab schema` shows which".to_owned()
        }
        YamlError::Unexpected { expected: "sequence start", .. } => {
            "a list is expected here, for example [a, b]; `headroom-lab schema` shows of what".to_owned()
        }
        YamlError::Eof { .. } => "the file is empty; `headroom-lab schema` shows what belongs into it".to_owned(),
        other => {
            let text = other.to_string();
            // The place is shown already.
            text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text).to_owned()
        }
    }
}

/// The plain scalar at a place of the text.
fn scalar_at(text: &str, location: Option<(u64, u64)>) -> &str {
    let index = |n: u64| usize::try_from(n).ok()?.checked_sub(1);
    let found = location.and_then(|(line, column)| {
        let line = text.lines().nth(index(line)?)?;
        let (at, _) = line.char_indices().nth(index(column)?)?;
        line.get(at..)?.split([',', '}', ']', '#']).next()
    });
    found.unwrap_or_default().trim()
}

/// `, did you mean 'x'?` where one of `allowed` is near enough to `given` to be a slip of the hand.
pub(super) fn did_you_mean(given: &str, allowed: &[&str]) -> String {
    let distance = |candidate: &&&str| strsim::damerau_levenshtein(given, candidate);
    let nearest = allowed.iter().min_by_key(distance).filter(|near| distance(near) <= 1 + given.len() / 4);
    nearest.map_or_else(String::new, |near| format!(", did you mean '{near}'?"))
}
