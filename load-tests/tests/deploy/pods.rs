//! A pod's files and programs, as kubelet would lay them out and start them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use headroom_load_tests::eventually::eventually;
use headroom_load_tests::page::get;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::manifests::{Variant, containers, items, text};

/// Far more than it takes, and reached only when the test fails.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// The pod of one workload. A path P in it is `root/P` here.
pub(crate) struct PodFiles {
    spec: Value,
    root: TempDir,
}

/// What stands in a file, and what stands there in its place.
pub(crate) type Edit = (String, String);

impl PodFiles {
    /// Lays out the volumes that its containers mount. `secrets` are folders of files; each edit must apply to a file.
    pub(crate) fn lay_out(
        variant: &Variant,
        workload: &str,
        secrets: &BTreeMap<&str, &Path>,
        edits: &[Edit],
    ) -> PodFiles {
        let workload = variant.workload(workload);
        let spec = workload["spec"]["template"]["spec"].clone();
        let pod = PodFiles { spec, root: tempfile::tempdir().unwrap() };
        let mut unused: Vec<&Edit> = edits.iter().collect();
        let mounts: BTreeMap<&str, &str> =
            pod.mounts().map(|mount| (text(mount, "/mountPath"), text(mount, "/name"))).collect();
        for (path, name) in mounts {
            let dir = pod.place(path);
            std::fs::create_dir_all(&dir).unwrap();
            if items(&workload["spec"], "volumeClaimTemplates")
                .iter()
                .any(|claim| text(claim, "/metadata/name") == name)
            {
                continue;
            }
            let volume = items(&pod.spec, "volumes").iter().find(|volume| text(volume, "/name") == name).unwrap();
            if volume["configMap"].is_object() {
                let map = variant.find("ConfigMap", text(volume, "/configMap/name"));
                for (file, content) in map["data"].as_object().unwrap() {
                    let mut content = pod.here(content.as_str().unwrap());
                    unused.retain(|(from, _)| !content.contains(from.as_str()));
                    for (from, to) in edits {
                        content = content.replace(from, to);
                    }
                    std::fs::write(dir.join(file), content).unwrap();
                }
            } else if volume["secret"].is_object() {
                let from = secrets[text(volume, "/secret/secretName")];
                let named = items(&volume["secret"], "items").iter().map(|item| text(item, "/key").to_owned());
                let mut files: Vec<String> = named.collect();
                if files.is_empty() {
                    files = ["tls.crt", "tls.key", "ca.crt"].map(str::to_owned).into();
                }
                for file in files {
                    std::fs::copy(from.join(&file), dir.join(&file)).unwrap();
                }
            } else {
                assert!(volume["emptyDir"].is_object(), "{volume}");
            }
        }
        assert!(unused.is_empty(), "not in any file: {unused:?}");
        pod
    }

    fn mounts(&self) -> impl Iterator<Item = &Value> {
        containers(&self.spec).flat_map(|container| items(container, "volumeMounts"))
    }

    pub(crate) fn place(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    /// With each path below a mount as it is here. What is not mounted stays, and is not found.
    pub(crate) fn here(&self, content: &str) -> String {
        let root = self.root.path().to_str().unwrap();
        let mut paths: Vec<&str> = self.mounts().map(|mount| text(mount, "/mountPath")).collect();
        paths.sort_unstable();
        paths.dedup();
        paths.iter().fold(content.to_owned(), |content, path| content.replace(path, &format!("{root}{path}")))
    }

    fn container(&self, name: &str) -> &Value {
        containers(&self.spec).find(|container| text(container, "/name") == name).unwrap()
    }

    /// The container's arguments as they are here, without those of `flags`, each of which must be among them.
    pub(crate) fn args(&self, container: &str, without: &[&str]) -> Vec<String> {
        let given = items(self.container(container), "args").iter().filter_map(Value::as_str);
        let (left_out, args): (Vec<&str>, Vec<&str>) =
            given.partition(|arg| arg.split_once('=').is_some_and(|(flag, _)| without.contains(&flag)));
        assert_eq!(left_out.len(), without.len(), "{left_out:?} of {without:?}");
        args.into_iter().map(|arg| self.here(arg)).collect()
    }

    /// Starts `program` with what the manifest says, on any free port, and waits until each probe of the container passes.
    pub(crate) async fn start(&self, container: &str, start: Start<'_>) -> Running {
        let shipped = self.container(container);
        assert_eq!(shipped["command"], serde_json::json!([format!("headroom-{container}")]));
        let ready_file = self.root.path().join("ready.json");
        let mut command = Command::new(start.program);
        command.args(self.args(container, start.listens));
        command.args(start.listens.iter().map(|flag| format!("{flag}=127.0.0.1:0")));
        command.arg("--ready-file").arg(&ready_file).arg("--kubeconfig").arg(start.kubeconfig);
        for env in items(shipped, "env") {
            let value = match text(env, "/valueFrom/fieldRef/fieldPath") {
                "" => text(env, "/value"),
                "metadata.name" => "headroom-0",
                other => panic!("{other}"),
            };
            command.env(text(env, "/name"), value);
        }
        command.envs(start.env.iter().copied());
        let log = std::fs::File::create(start.logs.join(format!("{container}.log"))).unwrap();
        let child = command.stdin(Stdio::null()).stderr(log).kill_on_drop(true).spawn().unwrap();
        let addrs = eventually("it listens", READY_WITHIN, async || {
            let text = std::fs::read_to_string(&ready_file).map_err(|error| error.to_string())?;
            serde_json::from_str::<Value>(&text).map_err(|error| error.to_string())
        })
        .await;
        let running = Running { _child: child, addrs };
        let probes = ["startupProbe", "readinessProbe", "livenessProbe"].map(|probe| &shipped[probe]);
        for probe in probes.into_iter().filter(|probe| !probe.is_null()) {
            let path = text(probe, "/httpGet/path");
            // Named like the flag by which it listens.
            assert!(text(probe, "/httpGet/port").ends_with("admin"), "{probe}");
            eventually(path, READY_WITHIN, async || {
                get(running.addr("admin_addr"), path).await.map_err(|error| error.to_string())
            })
            .await;
        }
        running
    }
}

/// How a program is started beside what the manifest says.
pub(crate) struct Start<'a> {
    pub(crate) program: &'a str,
    /// Flags of addresses, in place of which a free port is taken.
    pub(crate) listens: &'a [&'a str],
    pub(crate) kubeconfig: &'a Path,
    pub(crate) env: &'a [(&'a str, &'a str)],
    pub(crate) logs: &'a Path,
}

/// A program of the pod. It is killed when dropped.
pub(crate) struct Running {
    _child: Child,
    addrs: Value,
}

impl Running {
    pub(crate) fn addr(&self, name: &str) -> SocketAddr {
        text(&self.addrs, &format!("/{name}")).parse().unwrap()
    }

    /// One value of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let page = get(self.addr("admin_addr"), "/metrics").await.unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }
}
