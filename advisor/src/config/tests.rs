use std::collections::BTreeMap;

use headroom_shell::config::ConfigFile as _;
use serde_json::Value;

use super::{Config, Tls, check};

fn error(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

/// With every key that may be left out left out.
fn least() -> Config {
    Config { cluster_name: "prod".to_owned(), ..Config::default() }
}

#[test]
fn only_the_cluster_must_be_named() {
    assert_eq!(Config::parse("cluster_name: prod\n").unwrap(), least());
    assert_eq!(Config::parse(&least().to_yaml().unwrap()).unwrap(), least());
    for text in ["", "aws: {region: eu-west-1}\n"] {
        assert_eq!(
            error(text),
            "config: cluster_name: required: the EKS cluster's name; give a file that has it: --config FILE"
        );
    }
    assert!(Config::load(None).is_err(), "the defaults name none");
}

#[test]
fn a_text_of_the_wrong_length_or_in_the_namespace_of_aws_is_refused() {
    let long = "x".repeat(101);
    assert_eq!(error(&format!("cluster_name: {long}")), "config: cluster_name: 101 characters, must be 1 to 100");
    let namespace = |text: &str| format!("cluster_name: c\ncloudwatch: {{namespace: '{text}'}}");
    assert!(error(&namespace("")).starts_with("config: cloudwatch.namespace: 0 characters"));
    assert!(error(&namespace("AWS/EC2")).contains("'AWS/'"));
    assert!(Config::parse(&namespace("AWSome")).is_ok());
}

#[test]
fn cluster_autoscaler_needs_tls_and_has_no_certificate() {
    let with = |expander: &str, tls: &str| format!("cluster_name: c\nexpander: {{{expander}}}\ntls: {tls}\n");
    let tls = "{cert_file: a, key_file: b}";
    let mutual = "{cert_file: a, key_file: b, client_ca_file: c}";
    let parsed = |expander: &str, tls: &str| Config::parse(&with(expander, tls)).unwrap();
    assert_eq!(parsed("enabled: true", tls).warnings(), [""; 0]);
    assert_eq!(parsed("enabled: false", "null").warnings(), [""; 0]);
    let [warning] = parsed("enabled: true", "null").warnings()[..] else { panic!("one warning") };
    assert!(warning.contains("TLS only"));
    assert!(error(&with("enabled: true", mutual)).starts_with("config: tls.client_ca_file: must be null"));
    assert!(Config::parse(&with("enabled: false", mutual)).is_ok());
    assert_eq!(parsed("cluster_autoscaler_version: v1.34.2", "null").warnings(), [""; 0]);
    let wrong = error(&with("cluster_autoscaler_version: newest", "null"));
    assert_eq!(wrong, "config: expander.cluster_autoscaler_version: 'newest' is not a version such as 1.34");
}

#[test]
fn each_range_holds_at_both_ends_and_no_further() {
    for (key, _, min, max) in check::ranges(&least()) {
        let with = |value: u64| {
            let keys = key.rsplit('.').fold(value.to_string(), |inner, key| format!("{{{key}: {inner}}}"));
            let inner = keys.strip_prefix('{').and_then(|keys| keys.strip_suffix('}')).unwrap();
            Config::parse(&format!("cluster_name: c\n{inner}"))
        };
        assert!(with(min).is_ok() && with(max).is_ok(), "{key}");
        for value in min.checked_sub(1).into_iter().chain([max + 1]) {
            let error = with(value).unwrap_err().to_string();
            assert_eq!(error, format!("config: {key}: {value} is not in {min}..={max}"));
        }
    }
}

/// Leaves of a configuration by path, as YAML writes them.
fn leaves(value: &Value, path: &str, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(value, &path, into);
            }
        }
        // What has no default is empty in the type's own.
        Value::String(text) if text.is_empty() => drop(into.insert(path.to_owned(), "required".to_owned())),
        Value::String(text) => drop(into.insert(path.to_owned(), format!("`{text}`"))),
        other => drop(into.insert(path.to_owned(), format!("`{other}`"))),
    }
}

#[test]
fn the_page_lists_every_key_with_its_default_and_range() {
    let tls = Tls { cert_file: "".into(), key_file: "".into(), client_ca_file: None };
    let config = Config { tls: Some(tls), ..Config::default() };
    let mut defaults = BTreeMap::from([("tls".to_owned(), "`null`".to_owned())]);
    leaves(&serde_json::to_value(&config).unwrap(), "", &mut defaults);
    let ranges: BTreeMap<&str, String> = check::ranges(&config)
        .into_iter()
        .map(|(key, _, min, max)| (key, format!("{min} to {max}")))
        .chain(check::lengths(&config).map(|(key, _, max)| (key, format!("1 to {max} characters"))))
        .collect();

    let page = include_str!("../../../docs/advisor.md");
    let section = page.split("\n## ").find(|section| section.starts_with("Configuration")).unwrap_or_default();
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [key, default, range, meaning] = cells[..] else { panic!("four cells: {line}") };
        assert!(!meaning.is_empty(), "{line}");
        let key = key.trim_matches('`');
        assert_eq!(range, ranges.get(key).map_or("", String::as_str), "{key}");
        assert_eq!(rows.insert(key.to_owned(), default.to_owned()), None, "{key} has one row");
    }
    assert_eq!(rows, defaults);
}
