//! The program itself.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use headroom_lab::aws::{Fault, FaultKind};
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::rig::{Page, begins_to_lead, ready, until};

/// How long CloudWatch is out of order.
const FAULT: Duration = Duration::from_secs(600);
/// The shortest lease that a configuration may have.
const CONFIG: &str = "cluster_name: headroom-lab
aws: { region: us-west-2 }
leader_election: { lease_secs: 5 }
cloudwatch: { enabled: true, spool_file: SPOOL }
";
const SCENARIO: &str = "vpc: { cidr: 10.0.0.0/16 }
clock: { rate: 1 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/24 }]
nodeGroups: [{ name: workers, instanceType: t3.small, count: 1, subnets: [a] }]
";

struct Process {
    child: Child,
    admin: std::net::SocketAddr,
}

impl Process {
    async fn start(lab: &Lab, dir: &TempDir, name: &str) -> Process {
        let path = |name: &str| -> PathBuf { dir.path().join(name) };
        let (config, ready_file) = (path("config.yaml"), path(name));
        std::fs::write(&config, CONFIG.replace("SPOOL", path("spool.redb").to_str().unwrap())).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_advisor-under-test"))
            .args(["run", "--grpc-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(["--config".as_ref(), config.as_os_str(), "--ready-file".as_ref(), ready_file.as_os_str()])
            .args(["--kubeconfig".as_ref(), lab.kubeconfig().as_os_str()])
            .env("AWS_ENDPOINT_URL", lab.aws_url())
            .env("AWS_ACCESS_KEY_ID", "AKID")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let admin = until("it listens", async || addr(&ready_file)).await;
        ready(admin).await;
        Process { child, admin }
    }
}

fn addr(ready_file: &Path) -> Result<std::net::SocketAddr, String> {
    let text = std::fs::read_to_string(ready_file).map_err(|error| error.to_string())?;
    let addrs: Value = serde_json::from_str(&text).unwrap();
    Ok(addrs["admin_addr"].as_str().unwrap().parse().unwrap())
}

async fn lease(lab: &Lab) -> Option<String> {
    let kubeconfig = Kubeconfig::read_from(lab.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let leases = Api::<Lease>::namespaced(kube::Client::try_from(config).unwrap(), "kube-system");
    leases.get("headroom-advisor").await.unwrap().spec?.holder_identity.filter(|holder| !holder.is_empty())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_point_and_sigterm_gives_the_lease_back() {
    let scenario = Scenario::parse("process.yaml", SCENARIO).unwrap();
    let lab = Lab::start(scenario, Options::default()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let from = lab.clock().now();
    let operation = Some("PutMetricData".to_owned());
    lab.vpc().add_fault(Fault { operation, kind: FaultKind::Unavailable, from, until: from + FAULT, every: 1 });

    let mut first = Process::start(&lab, &dir, "first.json").await;
    let spooled = until("a round is in the spool", async || {
        let points = Page::of(first.admin).await.get("cloudwatch_points_spooled");
        if points > 0.0 { Ok(points) } else { Err("nothing is".to_owned()) }
    })
    .await;
    first.child.kill().await.unwrap();
    assert!(lease(&lab).await.is_some(), "nobody gave it back");
    assert_eq!(lab.vpc().metrics().data().count(), 0);

    lab.clock().advance(FAULT);
    let mut second = Process::start(&lab, &dir, "second.json").await;
    until("what was spooled has arrived, and all of it", async || {
        #[expect(clippy::cast_precision_loss, reason = "some dozens")]
        let arrived = lab.vpc().metrics().data().count() as f64;
        if arrived == spooled { Ok(()) } else { Err(format!("{arrived} of {spooled}")) }
    })
    .await;

    begins_to_lead(second.admin).await;
    let pid = second.child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let status = tokio::time::timeout(Duration::from_secs(20), second.child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(lease(&lab).await, None);
    lab.shutdown().await;
}
