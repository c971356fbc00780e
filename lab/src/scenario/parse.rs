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
            Err(error) => vec![yaml_problem(&error, path)],
        };
        Err(ScenarioError { file: file.to_owned(), problems })
    }
}

fn yaml_problem(error: &YamlError, path: String) -> Problem {
    let location = error.location().map(|at| (at.line(), at.column()));
    let path = if path == "." { String::new() } else { path };
    Problem { path, message: message(error.without_snippet()), location }
}

fn message(error: &YamlError) -> String {
    match error {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key '{field}'{}; allowed: {}", did_you_mean(field, expected), expected.join(", "))
        }
        YamlError::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown value '{variant}'{}; allowed: {}", did_you_mean(variant, expected), expected.join(", "))
        }
        YamlError::SerdeMissingField { field, .. } => format!("key '{field}' is missing"),
        other => other.to_string(),
    }
}

/// `, did you mean 'x'?` where one of `allowed` is near enough to `given` to be a slip of the hand.
pub(super) fn did_you_mean(given: &str, allowed: &[&str]) -> String {
    let distance = |candidate: &&&str| strsim::damerau_levenshtein(given, candidate);
    let nearest = allowed.iter().min_by_key(distance).filter(|near| distance(near) <= 1 + given.len() / 4);
    nearest.map_or_else(String::new, |near| format!(", did you mean '{near}'?"))
}
