//! The log on standard error.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// Format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// By hand: a derived one would print the comments above as help.
impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Format] {
        &[Format::Json, Format::Text]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Format::Json => "json",
            Format::Text => "text",
        }))
    }
}

/// A flag's `value_parser`: the text is checked with the rest of the command line, and kept, since a filter cannot be cloned.
///
/// # Errors
/// When [`start`] would refuse it.
pub fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Starts the log of this process, once.
///
/// # Errors
/// When `filter` is none.
///
/// # Panics
/// When a log was started before.
pub fn start(format: Format, filter: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        Format::Json => builder.json().flatten_event(true).init(),
        Format::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    Ok(())
}
