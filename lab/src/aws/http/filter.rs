//! Filters of Describe calls.

use super::params::Params;
use crate::aws::{ApiError, Tags};

/// What a resource has to say to a filter: `None` for a name that its API does not know.
pub(super) type Values = Option<Vec<String>>;

pub(super) struct Filter {
    name: String,
    values: Vec<String>,
}

/// EC2's `Filter.1.Name`, `Filter.1.Value.1`.
pub(super) fn ec2(params: &Params) -> Result<Vec<Filter>, ApiError> {
    read(params, "Filter", "Value")
}

/// Auto Scaling's `Filters.member.1.Name`, `Filters.member.1.Values.member.1`.
pub(super) fn auto_scaling(params: &Params) -> Result<Vec<Filter>, ApiError> {
    read(params, "Filters", "Values")
}

fn read(params: &Params, list: &str, values: &str) -> Result<Vec<Filter>, ApiError> {
    let filter = |entry: &Params| {
        let name = entry.need("Name")?.to_owned();
        Ok(Filter { name, values: entry.list(values).into_iter().map(str::to_owned).collect() })
    };
    params.entries(list).iter().map(filter).collect()
}

/// Takes the filter of that name out, and gives its first value.
pub(super) fn take(filters: &mut Vec<Filter>, name: &str) -> Option<String> {
    let at = filters.iter().position(|filter| filter.name == name)?;
    filters.remove(at).values.into_iter().next()
}

/// Whether every filter finds one of its values in the resource.
pub(super) fn matches(filters: &[Filter], value: impl Fn(&str) -> Values) -> Result<bool, ApiError> {
    for filter in filters {
        let unknown = || ApiError::invalid(format!("The filter '{}' is invalid", filter.name));
        let has = value(&filter.name).ok_or_else(unknown)?;
        if !filter.values.iter().any(|pattern| has.iter().any(|value| glob(pattern, value))) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `tag:Key`, `tag-key` and `tag-value`, which nearly every resource knows.
pub(super) fn tag_values(tags: &Tags, name: &str) -> Values {
    if let Some(key) = name.strip_prefix("tag:") {
        return Some(tags.get(key).cloned().into_iter().collect());
    }
    match name {
        "tag-key" => Some(tags.keys().cloned().collect()),
        "tag-value" => Some(tags.values().cloned().collect()),
        _ => None,
    }
}

pub(super) fn one(value: impl ToString) -> Values {
    Some(vec![value.to_string()])
}

/// `*` for any run of characters and `?` for one (EC2 user guide, "Filtering"). Linear but for the last `*`, to which it goes
/// back.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_as_ec2_does() {
        for (pattern, text, expected) in [
            ("aws-K8S-*", "aws-K8S-i-1", true),
            ("*i-?", "aws-i-1", true),
            ("*i-?", "aws-i-12", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
