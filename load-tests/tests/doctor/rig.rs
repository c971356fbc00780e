//! A lab of a bundled scenario under plain scheduling, and what the doctor says there.

use std::time::Duration;

use aws_credential_types::Credentials;
use headroom_advisor::aws::Connection;
use headroom_advisor::config::Config;
use headroom_advisor::doctor::{Scope, Sources, collect};
use headroom_doctor::{Bundle, Cause, Report, pod};
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_load_tests::advisor::lab_clock;
use headroom_load_tests::eventually::eventually;

/// Far more than it takes.
pub(crate) const WITHIN: Duration = Duration::from_secs(240);

pub(crate) struct Rig {
    pub(crate) lab: Lab,
    pub(crate) client: headroom_cluster::Client,
    scheduler: tokio::task::JoinHandle<()>,
}

impl Rig {
    pub(crate) async fn start(scenario: &str) -> Rig {
        let scenario = Scenario::bundled(scenario).unwrap().unwrap();
        let lab = Lab::start(scenario, Options::default()).await.unwrap();
        let client = headroom_cluster::connect(Some(lab.kubeconfig()), None).await.unwrap();
        let options = headroom_load_tests::scheduler::Options { extender: None, clock: lab.clock().clone() };
        let run = headroom_load_tests::scheduler::run(client.clone(), options, std::future::pending());
        let scheduler = tokio::spawn(async move { run.await.unwrap() });
        Rig { lab, client, scheduler }
    }

    /// Namespace and name of a pod that kubelet has asked for in vain so often, and its node.
    pub(crate) fn hanging(&self, times: u32) -> Option<(String, String, String)> {
        let report = self.lab.report();
        let mut waiting = report.nodes.iter().flat_map(|node| node.waiting.iter().map(move |pod| (node, pod)));
        let (node, pod) = waiting.find(|(_, pod)| pod.failed_adds >= times)?;
        Some((pod.namespace.clone(), pod.name.clone(), node.name.clone()))
    }

    pub(crate) async fn collect(&self, scope: &Scope) -> Bundle {
        let config = Config::default();
        let aws = headroom_advisor::config::Aws { region: Some("us-west-2".to_owned()), ..config.aws.clone() };
        let credentials = Credentials::new("lab", "lab", None, None, "lab");
        let sources = Sources {
            client: self.client.clone(),
            aws: Connection::at(&aws, self.lab.aws_url(), credentials).await,
            config,
            clock: lab_clock(self.lab.clock()),
        };
        Box::pin(collect(&sources, scope)).await
    }

    /// What is said of a pod that hangs, live and from a saved bundle of the whole cluster, once both give that cause first.
    pub(crate) async fn found(&self, times: u32, cause: Cause) -> Report {
        let what = format!("{cause:?} is found");
        let both = eventually(&what, WITHIN, async || {
            let Some((namespace, name, _)) = self.hanging(times) else { return Err("no pod hangs".to_owned()) };
            let scope = Scope::Pod { namespace: namespace.clone(), name: name.clone() };
            let live = pod::diagnose(&self.collect(&scope).await, &namespace, &name);
            let saved: Bundle = self.collect(&Scope::Cluster).await.to_json().unwrap().parse().unwrap();
            let saved = pod::diagnose(&saved, &namespace, &name);
            let first = |report: &Report| report.findings.first().map(|finding| finding.cause);
            if [&live, &saved].map(first) == [Some(cause), Some(cause)] {
                Ok((live, saved))
            } else {
                Err(format!("{live}\n{saved}"))
            }
        });
        let (live, saved) = both.await;
        let causes =
            |report: &Report| report.findings.iter().map(|finding| (finding.cause, finding.level)).collect::<Vec<_>>();
        assert_eq!(causes(&live), causes(&saved), "{live}\n{saved}");
        assert_eq!((live.exit_code(), saved.exit_code()), (1, 1));
        println!("{live}");
        live
    }

    /// Until so many pods have an address; where that is all of them, those that hang then go on hanging.
    pub(crate) async fn given(&self, pods: u32) {
        let given = eventually("pods have their addresses", WITHIN, async || {
            let with_ip = self.lab.report().totals.with_ip;
            if with_ip == pods { Ok(()) } else { Err(format!("{with_ip} have one")) }
        });
        given.await;
    }

    pub(crate) async fn stop(self) {
        self.scheduler.abort();
        self.lab.shutdown().await;
    }
}
