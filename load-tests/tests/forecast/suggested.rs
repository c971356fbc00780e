//! What a group is told to run instead, from a region's types as the lab's EC2 describes them.

use headroom_advisor::binding::report::{Group, Report};
use headroom_advisor::config::{Config, Forecast};
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_load_tests::advisor::{Advisor, Place};
use headroom_load_tests::eventually::eventually;
use headroom_load_tests::page::get;
use headroom_load_tests::scheduler;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::{WITHIN, config};

/// 26 pods that ask for little: the 27 addresses of an m5.large end long before its memory.
const SCENARIO: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/24 }]
nodeGroups: [{ name: workers, instanceType: m5.large, count: 1, subnets: [a], ebsVolumes: 25 }]
workloads: [{ name: web, replicas: 26, cpu: 40m, memory: 96Mi }]
";

async fn told(advisor: &Advisor) -> Group {
    eventually("all pods run and are counted", WITHIN, async || {
        let text = get(advisor.admin_addr(), "/headroom").await.map_err(|error| error.to_string())?;
        let mut report: Report = serde_json::from_str(&text).unwrap();
        let group = report.groups.remove("eks-workers").ok_or("no group")?;
        if group.running == 26 { Ok(group) } else { Err(format!("{} pods run", group.running)) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_pods_are_shown_types_that_their_addresses_do_not_end() {
    let scenario = Scenario::parse("suggested.yaml", SCENARIO).unwrap();
    let lab = Lab::start(scenario, Options { rate: Some(20.0), ..Options::default() }).await.unwrap();
    let kubeconfig = Kubeconfig::read_from(lab.kubeconfig()).unwrap();
    let kube = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let options = scheduler::Options { extender: None, clock: lab.clock().clone() };
    let placing = tokio::spawn(scheduler::run(Client::try_from(kube).unwrap(), options, std::future::pending()));
    let config = Config { forecast: Forecast { period_secs: 60 }, ..config() };
    let advisor = Advisor::start(Place::lab(&lab), config).await.unwrap();

    let group = told(&advisor).await;
    assert_eq!(group.binds.as_deref(), Some("ip"));
    let (own, others): (Vec<_>, Vec<_>) = group.types.iter().partition(|kind| kind.current);
    let [m5] = own[..] else { panic!("{own:?}") };
    assert_eq!((&*m5.instance_type, &*m5.source, m5.vcpus, m5.nodes), ("m5.large", "node", Some(2), Some(1)));
    assert_eq!((m5.pods, m5.binds.as_deref()), (Some(27), Some("ip")));
    assert!((1..=5).contains(&others.len()), "{others:?}");
    for kind in others {
        assert_eq!(kind.source, "ec2", "{kind:?}");
        assert!((1..=8).contains(&kind.vcpus.unwrap()), "{kind:?}");
        let family = kind.instance_type.split('.').next().unwrap();
        assert!(!family.chars().skip(1).any(|letter| letter == 'g'), "{kind:?} speaks another machine language");
        assert!(kind.nodes.unwrap() > 0 && kind.idle_vcpus.unwrap() >= 0.0 && kind.ips_per_pod.unwrap() > 1.0);
    }
    // Half the memory for as many addresses.
    assert!(group.types[0].instance_type.starts_with('c') && group.types[0].stranded_memory < m5.stranded_memory);
    let metrics = get(advisor.admin_addr(), "/metrics").await.unwrap();
    let series = "headroom_advisor_watch_events_total{kind=\"csinode\",event=\"applied\"} ";
    let applied = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{metrics}"));
    assert_ne!(applied, "0", "the node's CSINode is seen");
    placing.abort();
}
