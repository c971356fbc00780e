//! `deploy/iam`.

use std::collections::BTreeSet;

use headroom_advisor::aws::{Operation, Policy};
use headroom_advisor::config::Config;
use serde_json::Value;

use super::{list, names, path, read, sources, text};

/// With what a reader replaces.
fn example() -> Config {
    let mut config = Config { cluster_name: "CLUSTER_NAME".to_owned(), ..Config::default() };
    config.cloudwatch.cni_metrics_helper_names = true;
    config
}

#[test]
fn each_policy_is_what_the_code_calls() {
    for policy in Policy::ALL {
        let file = format!("deploy/iam/{}.json", policy.label());
        let want = format!("{:#}\n", Policy::document(&[*policy], &example()));
        if std::env::var_os("HEADROOM_UPDATE_DOCS").is_some() {
            std::fs::write(path(&file), &want).unwrap();
        }
        let how = "run HEADROOM_UPDATE_DOCS=1 cargo test -p headroom-load-tests --test shipped";
        assert_eq!(read(&file), want, "{file} is not what the code says; {how}");
    }
    let want: BTreeSet<String> = Policy::ALL.iter().map(|policy| format!("{}.json", policy.label())).collect();
    let is_policy = |name: &String| name.ends_with(".json") && !name.starts_with("trust-");
    assert_eq!(names("deploy/iam").into_iter().filter(is_policy).collect::<BTreeSet<_>>(), want);
}

#[test]
fn the_page_has_a_row_for_each_file_and_a_word_for_each_placeholder() {
    let page = read("deploy/iam/README.md");
    for name in names("deploy/iam").iter().filter(|name| name.ends_with(".json")) {
        assert!(page.contains(&format!("| `{name}` |")), "README.md has no row for {name}");
        let file = read(&format!("deploy/iam/{name}"));
        let words = file
            .split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .filter(|word| word.len() > 1 && word.contains('_'));
        for word in words {
            assert!(page.contains(&format!("`{word}`")), "README.md does not say what {word} of {name} is");
        }
    }
}

#[test]
fn a_role_is_only_for_the_advisors_service_account() {
    for name in ["trust-irsa.json", "trust-pod-identity.json"] {
        let trust: Value = serde_json::from_str(&read(&format!("deploy/iam/{name}"))).unwrap();
        let [statement] = list(&trust["Statement"]) else { panic!("{name} has one statement") };
        let conditions = statement["Condition"]["StringEquals"].as_object().unwrap();
        let values: String = conditions.values().map(text).collect();
        assert!(values.contains("NAMESPACE") && values.contains("SERVICE_ACCOUNT"), "{name}: {values}");
    }
}

/// The operations are an enum, and the policies are made of it: a call that is no operation would be granted by none.
#[test]
fn every_call_of_an_sdk_is_an_operation() {
    let known: BTreeSet<&str> = Operation::ALL.iter().map(|operation| operation.label()).collect();
    let mut called = BTreeSet::new();
    for (file, source) in sources(&path("advisor/src")) {
        // A client of an SDK is a field of a connection, or handed over as `client`.
        let handed = source.contains("aws_sdk_").then_some("client.");
        let source: String = source.split_whitespace().collect();
        for client in [".autoscaling.", ".cloudwatch.", ".sts."].into_iter().chain(handed) {
            for (method, _) in source.split(client).skip(1).filter_map(|rest| rest.split_once("()")) {
                if method.contains('_') && method.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    let name = camel(method);
                    assert!(known.contains(name.as_str()), "{file} calls {name}, which is not in Operation");
                    called.insert(name);
                }
            }
        }
        let asked = source.split("(Operation::").skip(1).filter_map(|rest| rest.split([')', ',']).next());
        called.extend(asked.map(str::to_owned).filter(|name| known.contains(name.as_str())));
    }
    let called: BTreeSet<&str> = called.iter().map(String::as_str).collect();
    assert_eq!(known, called, "an operation that nothing calls is granted for nothing");
}

fn camel(method: &str) -> String {
    let words = method.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect()
}
