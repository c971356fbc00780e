//! Where build.sh put the binaries.

use std::path::{Path, PathBuf};

use super::StartError;

/// Set to 1, tests of the real control plane pass without it.
pub(super) const SKIP: &str = "HEADROOM_SKIP_CONTROL_PLANE";

/// The version in `control-plane/go.mod`.
const VERSION: &str = "v1.36.3";

/// What `load-tests/control-plane/build.sh` built.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// etcd 3.6.
    pub etcd: PathBuf,
    /// kube-apiserver.
    pub kube_apiserver: PathBuf,
    /// kube-scheduler.
    pub kube_scheduler: PathBuf,
    /// kubectl.
    pub kubectl: PathBuf,
    /// Where they are.
    dir: PathBuf,
}

impl Binaries {
    /// Looks in `$HEADROOM_CACHE/control-plane`, or `~/.cache/headroom/control-plane`.
    ///
    /// # Errors
    /// When one is missing.
    pub fn find() -> Result<Binaries, StartError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("HEADROOM_CACHE")
            .or_else(|| set("HOME").map(|home| home.join(".cache/headroom")))
            .ok_or(StartError::NoCache)?;
        Self::find_in(&cache)
    }

    fn find_in(cache: &Path) -> Result<Binaries, StartError> {
        let bin = cache.join("control-plane").join(VERSION).join("bin");
        let find = |name| {
            let path = bin.join(name);
            if path.is_file() { Ok(path) } else { Err(StartError::NotBuilt(path)) }
        };
        Ok(Binaries {
            etcd: find("etcd")?,
            kube_apiserver: find("kube-apiserver")?,
            kube_scheduler: find("kube-scheduler")?,
            kubectl: find("kubectl")?,
            dir: bin,
        })
    }

    /// An extender on upstream's wire types that lets every node pass (`control-plane/cmd/plain-extender`). Benchmarks alone need
    /// it.
    ///
    /// # Errors
    /// When it has not been built.
    pub fn plain_extender(&self) -> Result<PathBuf, StartError> {
        let path = self.dir.join("plain-extender");
        if path.is_file() { Ok(path) } else { Err(StartError::NotBuilt(path)) }
    }
}

/// Whether `HEADROOM_SKIP_CONTROL_PLANE` is 1, after saying so on stderr. For the first line of a test.
#[must_use]
pub fn skip() -> bool {
    let skip = std::env::var_os(SKIP).is_some_and(|value| value == "1");
    if skip {
        eprintln!("skipped: {SKIP}=1, so nothing was tested against the real control plane");
    }
    skip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_for_the_version_that_is_built() {
        let go_mod = include_str!("../../control-plane/go.mod");
        assert!(go_mod.contains(&format!("\tk8s.io/kubernetes {VERSION}\n")), "not {VERSION}");
    }

    #[test]
    fn a_missing_binary_names_the_command_that_builds_it() {
        let cache = tempfile::tempdir().unwrap();
        let error = Binaries::find_in(cache.path()).unwrap_err().to_string();
        for part in ["v1.36.3/bin/etcd", "run load-tests/control-plane/build.sh", "HEADROOM_SKIP_CONTROL_PLANE=1"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
