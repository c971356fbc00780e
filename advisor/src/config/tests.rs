use headroom_shell::config::ConfigFile as _;

use super::{Config, check};

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
