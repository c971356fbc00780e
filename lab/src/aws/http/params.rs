//! Parameters of the Query protocol: nested structures flattened to names with dots.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::aws::{ApiError, Service, Tags};

/// Parameters, or those below one prefix.
#[derive(Clone, Debug)]
pub(super) struct Params {
    values: BTreeMap<String, String>,
    service: Service,
}

impl Params {
    pub(super) fn new(values: BTreeMap<String, String>, service: Service) -> Params {
        Params { values, service }
    }

    /// The same, asking for the fewest rows a page that EC2 gives.
    pub(super) fn with_short_pages(&self) -> Params {
        let mut values = self.values.clone();
        if let Some(size) = values.get_mut("MaxResults") {
            *size = "5".to_owned();
        }
        Params { values, service: self.service }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| match self.service {
            Service::Ec2 => {
                ApiError::new("MissingParameter", format!("The request must contain the parameter {name}"))
            }
            _ => ApiError::validation(format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
            )),
        })
    }

    /// A number, a boolean or an address.
    pub(super) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.get(name).map(|value| value.parse().map_err(|_| self.malformed(name, value))).transpose()
    }

    pub(super) fn need_parsed<T: FromStr>(&self, name: &str) -> Result<T, ApiError> {
        let value = self.need(name)?;
        value.parse().map_err(|_| self.malformed(name, value))
    }

    /// `true`, and nothing else, is true; absent is false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        Ok(self.parsed(name)?.unwrap_or(false))
    }

    pub(super) fn malformed(&self, name: &str, value: &str) -> ApiError {
        let message = format!("Value ({value}) for parameter {name} is invalid.");
        match self.service {
            Service::Ec2 => ApiError::invalid(message),
            _ => ApiError::validation(message),
        }
    }

    /// `Name.1`, `Name.2`, ... in EC2, `Name.member.1`, ... elsewhere; in order of the index.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let entries = self.indexed(name);
        entries.into_iter().filter(|(_, rest, _)| rest.is_empty()).map(|(_, _, value)| value).collect()
    }

    /// The structures of a list, each with its own parameters.
    pub(super) fn entries(&self, name: &str) -> Vec<Params> {
        let mut found: BTreeMap<u32, BTreeMap<String, String>> = BTreeMap::new();
        for (index, rest, value) in self.indexed(name) {
            if let Some(field) = rest.strip_prefix('.') {
                found.entry(index).or_default().insert(field.to_owned(), value.to_owned());
            }
        }
        found.into_values().map(|values| Params { values, service: self.service }).collect()
    }

    /// Index, what follows it, and value, of every parameter that belongs to a list.
    fn indexed(&self, name: &str) -> Vec<(u32, &str, &str)> {
        let dotted = format!("{name}.");
        let mut found: Vec<(u32, &str, &str)> = self
            .values
            .range(dotted.clone()..)
            .map_while(|(key, value)| key.strip_prefix(&dotted).map(|rest| (rest, value.as_str())))
            .filter_map(|(rest, value)| {
                let rest = rest.strip_prefix("member.").unwrap_or(rest);
                let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let (index, tail) = rest.split_at(digits);
                Some((index.parse().ok()?, tail, value))
            })
            .collect();
        found.sort_by_key(|(index, ..)| *index);
        found
    }

    /// Tags for resources of one kind, from EC2's `TagSpecification`.
    pub(super) fn tags_for(&self, resource_type: &str) -> Tags {
        let specifications = self.entries("TagSpecification");
        let meant = specifications.iter().filter(|one| one.get("ResourceType") == Some(resource_type));
        meant.flat_map(|one| one.tags("Tag")).collect()
    }

    /// `Tag.1.Key`, `Tag.1.Value`, ...
    pub(super) fn tags(&self, name: &str) -> Tags {
        let pair = |tag: &Params| Some((tag.get("Key")?.to_owned(), tag.get("Value").unwrap_or_default().to_owned()));
        self.entries(name).iter().filter_map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        let values = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Params::new(values, Service::Ec2)
    }

    #[test]
    fn lists_are_in_order_of_their_index() {
        let params = params(&[("Id.10", "j"), ("Id.2", "b"), ("Id.1", "a"), ("Ids.1", "x"), ("Id.member.3", "c")]);
        assert_eq!(params.list("Id"), ["a", "b", "c", "j"]);
    }

    #[test]
    fn structures_keep_their_fields_together() {
        let params = params(&[
            ("TagSpecification.1.ResourceType", "network-interface"),
            ("TagSpecification.1.Tag.1.Key", "a"),
            ("TagSpecification.1.Tag.1.Value", "1"),
            ("TagSpecification.2.ResourceType", "instance"),
            ("TagSpecification.2.Tag.1.Key", "b"),
        ]);
        assert_eq!(params.tags_for("network-interface"), Tags::from([("a".into(), "1".into())]));
        assert_eq!(params.tags_for("instance"), Tags::from([("b".into(), String::new())]));
    }

    #[test]
    fn malformed_and_missing_name_the_parameter() {
        let params = params(&[("MaxResults", "many")]);
        assert_eq!(params.parsed::<u32>("MaxResults").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(params.need("SubnetId").unwrap_err().message, "The request must contain the parameter SubnetId");
    }
}
