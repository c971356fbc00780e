//! The arrows between the crates, as ARCHITECTURE.md states them, held against the manifests.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Workspace crates that each crate may depend on, dev-dependencies included.
const ARROWS: [(&str, &[&str]); 5] = [
    ("headroom-capacity", &[]),
    ("headroom-cluster", &["headroom-capacity"]),
    ("headroom-extender", &["headroom-capacity", "headroom-cluster"]),
    ("headroom-lab", &["headroom-capacity"]),
    ("headroom-load-tests", &["headroom-capacity", "headroom-extender", "headroom-lab"]),
];

/// What the pure model may use beside the standard library.
const CAPACITY_LIBRARIES: [&str; 1] = ["thiserror"];

struct Dependency {
    name: String,
    dev: bool,
}

fn dependencies() -> BTreeMap<String, Vec<Dependency>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path", manifest])
        .output()
        .expect("cargo runs, it runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let listed = package["dependencies"].as_array().unwrap().iter();
            let listed = listed.map(|dep| Dependency { name: text(&dep["name"]), dev: dep["kind"] == "dev" });
            (text(&package["name"]), listed.collect())
        })
        .collect()
}

#[test]
fn arrows_point_one_way() {
    let manifests = dependencies();
    let known: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(manifests.keys().map(String::as_str).collect::<Vec<_>>(), known, "every crate has its row in ARROWS");
    for (name, allowed) in ARROWS {
        for dependency in &manifests[name] {
            let inside = dependency.name.starts_with("headroom-");
            assert!(
                !inside || allowed.contains(&dependency.name.as_str()),
                "{name} must not depend on {}; allowed: {allowed:?}",
                dependency.name
            );
        }
    }
}

#[test]
fn capacity_stays_pure() {
    for dependency in &dependencies()["headroom-capacity"] {
        assert!(
            dependency.dev || CAPACITY_LIBRARIES.contains(&dependency.name.as_str()),
            "capacity must not depend on {}; allowed: {CAPACITY_LIBRARIES:?}",
            dependency.name
        );
    }
}
