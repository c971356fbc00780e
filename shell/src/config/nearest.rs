//! A typing error should cost one look: the nearest key or value is named.

use serde_saphyr::Error;

/// The key, the parser's message in one line, and what was probably meant.
pub(super) fn explain(binary: &str, path: &str, error: &Error) -> String {
    let key = if matches!(path, "" | "." | "?") { String::new() } else { format!("{path}: ") };
    match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("{key}{}{}", error.without_snippet(), suggestion(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("{key}{}{}", error.without_snippet(), suggestion(variant, expected))
        }
        error => {
            format!("{key}{error}; '{binary} check-config' without a file prints every key with its default")
        }
    }
}

fn suggestion(given: &str, allowed: &[&str]) -> String {
    let near = allowed.iter().map(|key| (strsim::levenshtein(given, key), key)).min();
    match near.filter(|(distance, key)| *distance * 2 <= key.len()) {
        Some((_, key)) => format!("; did you mean '{key}'?"),
        None => String::new(),
    }
}
