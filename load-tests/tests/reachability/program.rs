//! `headroom-advisor probe` as a program, over TLS to a name.

use std::path::Path;
use std::process::Stdio;

use headroom_lab::net::{Authority, Gate, Mode, TlsFront};
use serde_json::Value;
use tokio::process::Command;

use crate::rig::Aws;

/// What hangs is not waited for longer than it takes a busy machine to shake hands.
const CONFIG: &str = "cluster_name: prod
reachability: { dns_timeout_ms: 1000, tls_timeout_ms: 2000, signed_timeout_ms: 4000 }
";

async fn probe(url: &str, dir: &Path) -> (Option<i32>, Vec<Value>) {
    let output = Command::new(env!("CARGO_BIN_EXE_advisor-under-test"))
        .args([
            "probe".as_ref(),
            "--output".as_ref(),
            "json".as_ref(),
            "--config".as_ref(),
            dir.join("config.yaml").as_os_str(),
        ])
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_REGION", "us-west-2")
        .env("AWS_ACCESS_KEY_ID", "AKID")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("SSL_CERT_FILE", dir.join("ca.pem"))
        .stderr(Stdio::inherit())
        .output()
        .await
        .unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exit_code_and_the_report_say_which_stage_failed() {
    let aws = Aws::serve().await;
    let authority = Authority::new("Amazon of the lab").unwrap();
    let front = TlsFront::start(aws.addr, authority.issue(&["localhost"]).unwrap()).await.unwrap();
    let gate = Gate::start(front.addr()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(dir.path().join("config.yaml"), CONFIG).unwrap();
    let url = format!("https://localhost:{}", gate.addr().port());

    let (code, reports) = probe(&url, dir.path()).await;
    assert_eq!(code, Some(0), "{reports:#?}");
    let endpoints: Vec<&str> = reports.iter().map(|report| report["endpoint"].as_str().unwrap()).collect();
    assert_eq!(endpoints, ["autoscaling", "ec2", "sts"]);
    assert!(reports.iter().all(|report| report["passed"] == true && report["stages"].as_array().unwrap().len() == 10));

    gate.set(Mode::Stall).await.unwrap();
    let (code, reports) = probe(&url, dir.path()).await;
    assert_eq!(code, Some(1));
    for report in &reports {
        let found = &report["diagnosis"];
        assert_eq!(
            (found["stage"].as_str(), found["cause"].as_str()),
            (Some("tls"), Some("tls_timeout")),
            "{report:#?}"
        );
    }
}
