//! A variant, applied and running: each program with the arguments, configuration and account that it ships with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headroom_lab::scenario::Scenario;
use headroom_load_tests::authority::Authority;
use headroom_load_tests::control_plane::ControlPlane;
use headroom_load_tests::eventually::eventually;
use headroom_load_tests::kubelets::Kubelets;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::manifests::{NAMESPACE, Variant, text, yaml};
use crate::pods::{Edit, PodFiles, Running, Start};

/// Far more than it takes, and reached only when the test fails.
const WITHIN: Duration = Duration::from_secs(60);

/// Everything that runs.
pub(crate) struct Installed {
    pub(crate) client: Client,
    pub(crate) kubelets: Kubelets,
    pub(crate) extender: Running,
    pub(crate) control_plane: ControlPlane,
    files: Files,
    _advisor: Running,
}

/// Kept for as long as what runs reads them.
struct Files {
    /// The extender's arguments that explain takes too.
    explain: Vec<String>,
    scheduler_kubeconfig: PathBuf,
    _pods: [PodFiles; 2],
    _own: TempDir,
}

impl Installed {
    /// Applies `variant` to a cluster with the nodes of `scenario` and starts it. `adjust` changes the advisor's configuration: how long
    /// things take.
    pub(crate) async fn start(variant: &Variant, scenario: &str, adjust: impl FnOnce(&mut Value)) -> Installed {
        let mut control_plane = shown(ControlPlane::start_audited().await);
        let client = control_plane.client.clone();
        let scenario = Scenario::parse("nodes.yaml", scenario).unwrap();
        let kubelets = Kubelets::start(scenario, client.clone()).await.unwrap();
        create_namespace(&client).await;
        apply(&control_plane, variant).await;

        let own = tempfile::tempdir().unwrap();
        let logs = control_plane.logs();
        let secret = secret(own.path());
        let secrets = BTreeMap::from([("headroom-advisor-tls", secret.as_path())]);
        let advisor_kubeconfig = kubeconfig(&control_plane, "headroom-advisor", own.path()).await;
        let scheduler_kubeconfig = kubeconfig(&control_plane, "headroom-scheduler", own.path()).await;

        let mut adjusted = yaml(variant.advisor_config());
        adjust(&mut adjusted);
        let files = PodFiles::lay_out(variant, "headroom-advisor", &secrets, &[]);
        std::fs::write(files.place("/etc/headroom/config/advisor.yaml"), files.here(&adjusted.to_string())).unwrap();
        let advisor = Start {
            program: env!("CARGO_BIN_EXE_advisor-under-test"),
            listens: &["--grpc-listen", "--admin-listen"],
            kubeconfig: &advisor_kubeconfig,
            // What EKS sets for IRSA and Pod Identity, but the credentials themselves.
            env: &[
                ("AWS_REGION", "us-west-2"),
                ("AWS_ENDPOINT_URL", kubelets.aws_url()),
                ("AWS_ACCESS_KEY_ID", "AKID"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
            ],
            logs: &logs,
        };
        let advisor = files.start("advisor", advisor).await;
        let advisor_files = files;

        // A Service does no more than that.
        let service = format!("headroom-advisor.{NAMESPACE}.svc:9280");
        let feed: Edit = (service, advisor.addr("grpc_addr").to_string());
        let files = PodFiles::lay_out(variant, "headroom-scheduler", &secrets, &[feed]);
        let extender = Start {
            program: env!("CARGO_BIN_EXE_extender-under-test"),
            listens: &["--listen", "--admin-listen"],
            kubeconfig: &scheduler_kubeconfig,
            env: &[],
            logs: &logs,
        };
        let extender = files.start("extender", extender).await;
        kubelets.ready().await.unwrap();
        // The extender took any free port, and no account is mounted here.
        let mut config = variant.scheduler_config();
        config["extenders"][0]["urlPrefix"] = json!(format!("http://{}/v1", extender.addr("addr")));
        config["clientConnection"] = json!({ "kubeconfig": scheduler_kubeconfig });
        std::fs::write(files.place("/etc/headroom/config/kube-scheduler.yaml"), config.to_string()).unwrap();
        shown(control_plane.start_scheduler_with(files.args("kube-scheduler", &[])).await);
        let explain = files.args("extender", &["--listen", "--admin-listen", "--log-level"]);
        let files = Files { explain, scheduler_kubeconfig, _pods: [advisor_files, files], _own: own };
        Installed { client, kubelets, extender, _advisor: advisor, control_plane, files }
    }

    /// What `kubectl exec ... -- headroom-extender explain --pod POD` prints in the scheduler's pod.
    pub(crate) async fn explain(&self, pod: &str) -> String {
        let [_serve, rest @ ..] = self.files.explain.as_slice() else { panic!("no arguments") };
        let output = Command::new(env!("CARGO_BIN_EXE_extender-under-test"))
            .args(["explain", "--pod", pod])
            .args(rest)
            .arg("--kubeconfig")
            .arg(&self.files.scheduler_kubeconfig)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn shown<T, E: std::error::Error + Send + Sync + 'static>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{:#}", anyhow::Error::from(error)))
}

/// As docs/operations.md makes it.
pub(crate) async fn create_namespace(client: &Client) {
    let labels = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
    let namespace = json!({ "metadata": { "name": NAMESPACE, "labels": labels } });
    let namespaces = Api::<Namespace>::all(client.clone());
    namespaces.create(&PostParams::default(), &serde_json::from_value(namespace).unwrap()).await.unwrap();
    eventually("namespace kube-system exists", WITHIN, async || namespaces.get("kube-system").await).await;
}

/// `kubectl apply --server-side --validate=strict`, of what has no CRD of others.
pub(crate) async fn apply(control_plane: &ControlPlane, variant: &Variant) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("manifests.yaml");
    variant.write_known(&file);
    kubectl_apply(control_plane, &file).await.unwrap_or_else(|error| panic!("{}: {error}", variant.name));
}

pub(crate) async fn kubectl_apply(control_plane: &ControlPlane, file: &Path) -> Result<(), String> {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(&control_plane.binaries().kubectl)
        .args(["apply", "--server-side", "--validate=strict", "--request-timeout=60s", "-f"])
        .arg(file)
        .env("KUBECONFIG", control_plane.kubeconfig())
        .env("HOME", home.path()) // kubectl caches discovery there
        .output()
        .await
        .unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The administrator's kubeconfig with a token of the account.
async fn kubeconfig(control_plane: &ControlPlane, account: &str, dir: &Path) -> PathBuf {
    let accounts = Api::<ServiceAccount>::namespaced(control_plane.client.clone(), NAMESPACE);
    let token = accounts.create_token_request(account, &PostParams::default(), &TokenRequest::default()).await.unwrap();
    let mut config = yaml(&std::fs::read_to_string(control_plane.kubeconfig()).unwrap());
    assert_eq!(text(&config, "/users/0/user/token"), "admin");
    config["users"][0]["user"]["token"] = json!(token.status.unwrap().token);
    let path = dir.join(account).with_extension("kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

/// As cert-manager writes it, but for this host.
fn secret(dir: &Path) -> PathBuf {
    let dir = dir.join("secret");
    std::fs::create_dir(&dir).unwrap();
    Authority::new(&dir).unwrap().issue("tls").unwrap();
    dir
}
