//! A typing error should cost one look: the nearest key or value is named.

use serde_saphyr::Error;

/// The parser's message in one line, and what was probably meant.
pub(super) fn explain(error: &Error) -> String {
    match error {
        Error::WithSnippet { error, .. } => explain(error),
        Error::SerdeUnknownField { field, expected, .. } => format!("{error}{}", suggestion(field, expected)),
        Error::SerdeUnknownVariant { variant, expected, .. } => format!("{error}{}", suggestion(variant, expected)),
        _ => error.to_string(),
    }
}

fn suggestion(given: &str, allowed: &[&str]) -> String {
    let near = allowed.iter().map(|key| (distance(given, key), key)).min();
    let meant = near.filter(|(distance, key)| *distance * 2 <= key.len());
    match meant {
        Some((_, key)) => format!(", did you mean '{key}'? allowed: {}", allowed.join(", ")),
        None => format!(", allowed: {}", allowed.join(", ")),
    }
}

/// Levenshtein distance over bytes; keys are ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn counts_insertions_deletions_and_replacements() {
        for (a, b, expected) in [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("max_node", "max_nodes", 1)] {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
        }
    }
}
