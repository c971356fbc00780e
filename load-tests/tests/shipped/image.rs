//! `deploy/image`: the recipe, as far as it can be tried without a container engine.

use std::collections::BTreeSet;
use std::process::Command;

use super::{path, read};

const DOCKERFILE: &str = "deploy/image/Dockerfile";

/// Instructions with their words; continued lines are joined, comments left out.
fn instructions() -> Vec<Vec<String>> {
    let text = read(DOCKERFILE).replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

fn argument(name: &str) -> String {
    let prefix = format!("{name}=");
    let arguments = instructions().into_iter().filter(|words| words[0] == "ARG");
    arguments.filter_map(|words| Some(words[1].strip_prefix(&prefix)?.to_owned())).next().unwrap()
}

/// Members of the workspace: their folders.
fn members() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let list = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    list.split(',').map(|member| member.trim().trim_matches('"').to_owned()).collect()
}

#[test]
fn rust_is_the_workspaces_and_both_stages_have_one_debian() {
    let manifest = read("Cargo.toml");
    let floor = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap().trim_end_matches('"');
    let build = argument("BUILD_IMAGE");
    assert_eq!(build, format!("rust:{floor}-bookworm"));
    // Debian 12 is bookworm.
    assert_eq!(argument("BASE_IMAGE"), "gcr.io/distroless/cc-debian12:nonroot");
}

#[test]
fn the_programs_are_those_of_the_workspace_and_nobody_is_root() {
    let instructions = instructions();
    let words: Vec<&str> = instructions.iter().flatten().map(String::as_str).collect();
    let packages: BTreeSet<&str> = words.windows(2).filter(|pair| pair[0] == "-p").map(|pair| pair[1]).collect();
    assert_eq!(packages, BTreeSet::from(["headroom-advisor", "headroom-extender"]));
    let copied: Vec<&str> = words.iter().filter_map(|word| word.strip_prefix("/out/headroom-")).collect();
    for package in &packages {
        let folder = package.strip_prefix("headroom-").unwrap();
        assert!(
            read(&format!("{folder}/Cargo.toml")).contains(&format!("[[bin]]\nbench = false\nname = \"{package}\""))
        );
        assert!(copied.contains(&folder), "{package} is built and not copied");
    }
    let users: Vec<&Vec<String>> = instructions.iter().filter(|words| words[0] == "USER").collect();
    let [user] = users[..] else { panic!("one user: {users:?}") };
    let ids: Vec<u32> =
        user[1].split(':').map(|id| id.parse().expect("kubelet can only tell a number from root")).collect();
    assert!(ids.iter().all(|id| *id != 0));
}

/// Cargo reads the manifests of all members, whichever is built.
#[test]
fn what_is_built_and_copied_gets_into_the_context() {
    let ignore = read(".dockerignore");
    let lines: BTreeSet<&str> = ignore.lines().collect();
    assert!(lines.contains("*"), "nothing gets in unless it is named");
    let passes = |file: &str| lines.contains(format!("!{file}").as_str());
    for member in members() {
        assert!(passes(&member), ".dockerignore keeps {member} out");
    }
    for file in ["Cargo.toml", "Cargo.lock", "LICENSE"] {
        assert!(passes(file), ".dockerignore keeps {file} out");
    }
    for named in lines.iter().filter_map(|line| line.strip_prefix('!')) {
        assert!(path(named).exists(), ".dockerignore names {named}, which is not there");
    }
    let sources = instructions().into_iter().filter(|words| words[0] == "COPY" && !words[1].starts_with("--from="));
    for words in sources {
        for source in &words[1..words.len() - 1] {
            assert!(source == "." || passes(source), "{source} is copied and kept out");
        }
    }
    // It would have rustup fetch another toolchain than the image's.
    assert!(!passes("rust-toolchain.toml"));
}

/// distroless/cc has glibc, libgcc and libstdc++, and nothing else.
#[test]
fn a_program_asks_for_no_library_that_the_base_does_not_have() {
    let output = Command::new("ldd").arg(env!("CARGO_BIN_EXE_advisor-under-test")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let needed = text.lines().filter_map(|line| line.split_whitespace().next());
    let needed: Vec<&str> = needed.map(|name| name.rsplit('/').next().unwrap()).collect();
    assert!(needed.contains(&"libc.so.6"), "{text}");
    let has = |name: &str| {
        let of_glibc = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "linux-vdso.so.1"].contains(&name);
        of_glibc || name.starts_with("ld-linux-")
    };
    assert!(needed.iter().all(|name| has(name)), "{needed:?}");
}
