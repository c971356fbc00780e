//! The arrows between the crates, as ARCHITECTURE.md states them, held against the manifests.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

/// Workspace crates that each crate may depend on, dev-dependencies included.
const ARROWS: [(&str, &[&str]); 11] = [
    (
        "headroom-advisor",
        &[
            "headroom-capacity",
            "headroom-cluster",
            "headroom-doctor",
            "headroom-forecast",
            "headroom-proto",
            "headroom-reach",
            "headroom-shell",
        ],
    ),
    ("headroom-capacity", &[]),
    ("headroom-cluster", &["headroom-capacity"]),
    ("headroom-doctor", &["headroom-capacity"]),
    ("headroom-extender", &["headroom-capacity", "headroom-cluster", "headroom-proto", "headroom-shell"]),
    ("headroom-forecast", &[]),
    ("headroom-lab", &["headroom-capacity"]),
    (
        "headroom-load-tests",
        &[
            "headroom-advisor",
            "headroom-capacity",
            "headroom-cluster",
            "headroom-doctor",
            "headroom-extender",
            "headroom-forecast",
            "headroom-lab",
            "headroom-proto",
            "headroom-reach",
            "headroom-shell",
        ],
    ),
    ("headroom-proto", &[]),
    ("headroom-reach", &[]),
    ("headroom-shell", &[]),
];

/// What the pure crates may use beside the standard library.
const PURE_LIBRARIES: [&str; 1] = ["thiserror"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

fn manifests() -> BTreeMap<String, Vec<Dependency>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path", manifest])
        .output()
        .expect("cargo runs, it runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata has this shape");
    metadata.packages.into_iter().map(|package| (package.name, package.dependencies)).collect()
}

#[test]
fn arrows_point_one_way() {
    let manifests = manifests();
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
fn capacity_and_forecast_stay_pure() {
    let manifests = manifests();
    for name in ["headroom-capacity", "headroom-forecast"] {
        for dependency in &manifests[name] {
            assert!(
                dependency.kind.as_deref() == Some("dev") || PURE_LIBRARIES.contains(&dependency.name.as_str()),
                "{name} must not depend on {}; allowed: {PURE_LIBRARIES:?}",
                dependency.name
            );
        }
    }
}

/// Auto Scaling would choose which instances end, and end them undrained.
#[test]
fn nothing_lowers_a_desired_capacity_by_a_number() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../advisor/src");
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            let words =
                ["set_desired_capacity(", "desired_capacity(size(", "update_auto_scaling_group", "should_decrement"];
            for line in text.lines().filter(|line| words.iter().any(|word| line.contains(word))) {
                let at = path.strip_prefix(&root).expect("below it").display().to_string();
                found.push((at, line.trim().to_owned()));
            }
        }
    }
    found.sort();
    let lines: Vec<&str> = found.iter().map(|(_, line)| line.as_str()).collect();
    assert!(found.iter().all(|(at, _)| at == "aws/scale.rs"), "{found:?}");
    assert_eq!(lines.len(), 3, "{lines:?}");
    // To what was read a moment before and more: by a `NonZeroU32`.
    assert!(lines.iter().any(|line| line.contains("desired_capacity(size(to))")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("should_decrement_desired_capacity(true)")), "{lines:?}");
}
