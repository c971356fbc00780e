//! Nodes fill up.

use headroom_capacity::budget::{Budget, Ipv4Budget, NodeFacts, NodeKind, budget};
use headroom_capacity::instance;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::steady::steady;
use headroom_capacity::units::{Enis, Ips};
use serde_json::json;

use crate::bench::{Bench, one_group, scenario};

/// The text of kubelet's event around the sandbox's ID.
const MESSAGE: [&str; 2] = [
    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"",
    "\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container",
];

#[test]
fn pools_come_to_rest_where_the_closed_form_says() {
    let cases = [
        (vec![("WARM_ENI_TARGET", "2")], "m5.large", 3),
        (vec![("WARM_IP_TARGET", "5"), ("MINIMUM_IP_TARGET", "12")], "c5.xlarge", 9),
        (vec![("ENABLE_PREFIX_DELEGATION", "true")], "m5.large", 20),
        (vec![], "c5.xlarge", 14),
    ];
    for (env, kind, pods) in cases {
        let yaml: Vec<String> = env.iter().map(|(name, value)| format!("{name}: '{value}'")).collect();
        let more = format!("cni: {{ env: {{ {} }} }}\nworkloads: [{{ name: web, replicas: {pods} }}]", yaml.join(", "));
        let mut bench = Bench::new(&one_group(kind, "count: 1, maxPods: 110", &more));
        bench.run(60);
        let node = bench.nodes()[0].clone();
        for pod in bench.pending() {
            bench.bind(&pod, &node);
            bench.run(40);
        }
        bench.run(120);
        let shipped = [("WARM_ENI_TARGET", "1"), ("WARM_PREFIX_TARGET", "1")];
        let settings = CniSettings::from_env(shipped.into_iter().chain(env.iter().copied())).0;
        let expected = steady(&settings, &ipv4_budget(kind, &settings), pods);
        let report = bench.world.report();
        let node = &report.nodes[0];
        assert_eq!((node.ips_total, node.enis_attached), (expected.ips_attached, expected.enis), "{env:?} on {kind}");
        let taken = 1024 - 5 - report.subnets[0].free_ips.get();
        assert_eq!(Ips(taken), expected.subnet_ips, "{env:?} on {kind}");
    }
}

fn ipv4_budget(kind: &str, settings: &CniSettings) -> Ipv4Budget {
    let facts = NodeFacts {
        kind: NodeKind::Linux,
        limits: instance::lookup(kind),
        settings,
        max_pods: 110,
        unmanaged: Enis::ZERO,
        excluded: Enis::ZERO,
        trunk_attached: false,
        windows_prefix_delegation: false,
    };
    let Budget::Ipv4(budget) = budget(&facts) else { panic!("{kind} is a Linux node in IPv4") };
    budget
}

#[test]
fn the_57th_pod_of_a_c5_xlarge_hangs() {
    let mut bench =
        Bench::new(&one_group("c5.xlarge", "count: 1, maxPods: 110", "workloads: [{ name: web, replicas: 57 }]"));
    bench.run(30);
    bench.bind_all();
    bench.run(240);
    let report = bench.world.report();
    let node = &report.nodes[0];
    assert_eq!((node.pods_with_ip, node.ips_total, node.enis_attached), (56, Ips(56), Enis(4)));
    assert_eq!((report.totals.bound, report.totals.with_ip, report.totals.hanging), (57, 56, 1));
    let waiting = &node.waiting[0];
    assert!((15..=24).contains(&waiting.failed_adds), "one every 10 to 15 s: {}", waiting.failed_adds);
    assert!(MESSAGE[0].len() + MESSAGE[1].len() + 64 == waiting.last_message.len());
    assert!(waiting.last_message.starts_with(MESSAGE[0]) && waiting.last_message.ends_with(MESSAGE[1]));
}

#[test]
fn a_hanging_pod_looks_as_on_eks() {
    let mut bench =
        Bench::new(&one_group("t3.small", "count: 1, maxPods: 110", "workloads: [{ name: web, replicas: 10 }]"));
    bench.run(30);
    bench.bind_all();
    bench.run(300);
    let (_, hanging) = bench.with_and_without_ip();
    assert_eq!(hanging.len(), 1, "t3.small takes 3 ENIs with 4 addresses: 9 for pods");
    let pod = bench.pod(&hanging[0]);
    assert_eq!(pod["status"]["phase"], "Pending");
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
    let events = bench.events(&hanging[0]);
    assert!(events.iter().all(|event| event["reason"] == "FailedCreatePodSandBox" && event["type"] == "Warning"));
    assert_eq!(events.len(), 10, "nine with their own text, one for all that follow");
    let combined = events.last().unwrap();
    assert!(
        combined["message"].as_str().unwrap().starts_with(&format!("(combined from similar events): {}", MESSAGE[0]))
    );
    assert!(combined["count"].as_u64() > Some(5), "{combined}");
}

#[test]
fn more_than_max_pods_fail_at_admission() {
    let mut bench =
        Bench::new(&one_group("m5.large", "count: 1, maxPods: 4", "workloads: [{ name: web, replicas: 3 }]"));
    bench.run(30);
    bench.bind_all();
    bench.run(30);
    let failed: Vec<_> = bench.pods().into_iter().filter(|pod| pod["status"]["phase"] == "Failed").collect();
    assert_eq!(failed.len(), 1, "aws-node and kube-proxy count too");
    assert_eq!(failed[0]["status"]["reason"], "OutOfpods");
    let message = "Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 4, capacity: 4";
    assert_eq!(failed[0]["status"]["message"], message);
}

#[test]
fn a_full_subnet_makes_ipamd_back_off_for_120_seconds() {
    // Of 27 addresses others hold 16; the node's first ENI takes 10, and the second one would need as many.
    let subnet = "cidr: 10.0.0.0/27, used: 16";
    let mut bench =
        Bench::new(&scenario(subnet, "m5.large", "count: 1, maxPods: 110", "workloads: [{ name: web, replicas: 12 }]"));
    bench.run(30);
    let report = bench.world.report();
    assert_eq!((report.nodes[0].ips_total, report.subnets[0].free_ips), (Ips(9), Ips(1)));
    bench.bind_all();
    bench.run(60);
    assert_eq!(bench.world.report().totals.hanging, 3);
    bench.free_what_others_hold();
    bench.run(50);
    let report = bench.world.report();
    assert_eq!((report.nodes[0].ips_total, report.subnets[0].free_ips), (Ips(9), Ips(17)), "refused 110 s ago");
    bench.run(60);
    let report = bench.world.report();
    assert_eq!((report.nodes[0].ips_total, report.totals.hanging), (Ips(18), 0));
}

#[test]
fn branch_pods_have_a_budget_of_their_own() {
    let more = "cni: { env: { ENABLE_POD_ENI: 'true' } }\n\
                workloads: [{ name: branch, replicas: 10, podEni: true }, { name: web, replicas: 3 }]";
    let mut bench = Bench::new(&one_group("m5.large", "count: 1, maxPods: 110", more));
    bench.run(60);
    let node = &bench.list(&headroom_lab::kube::resource::NODES)[0];
    assert_eq!(node["status"]["allocatable"]["vpc.amazonaws.com/pod-eni"], "9", "m5.large");
    bench.bind_all();
    bench.run(60);
    let (with, without) = bench.with_and_without_ip();
    assert_eq!((with.len(), without.len()), (12, 1));
    assert!(without[0].starts_with("branch-"));
    let report = bench.world.report();
    assert_eq!(report.nodes[0].ips_assigned, Ips(3));
    let freed = with.iter().find(|pod| pod.starts_with("branch-")).unwrap();
    bench.delete(freed);
    bench.run(50);
    assert_eq!(bench.pod(&without[0])["status"]["phase"], "Pending", "the branch ENI cools down for 60 s");
    bench.run(40);
    assert_eq!(bench.pod(&without[0])["status"]["phase"], "Running");
}

#[test]
fn custom_networking_keeps_a_node_not_ready_until_pods_have_addresses() {
    let text = "vpc: { cidr: 10.0.0.0/16 }\n\
                subnets:\n\
                - { name: a, az: us-west-2a, cidr: 10.0.0.0/24 }\n\
                - { name: pods, az: us-west-2a, cidr: 10.0.1.0/28, used: 11 }\n\
                cni:\n  env: { AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: 'true', ENI_CONFIG_LABEL_DEF: topology.kubernetes.io/zone }\n  \
                eniConfigs: [{ name: us-west-2a, subnet: pods }]\n\
                nodeGroups: [{ name: workers, instanceType: m5.large, count: 1, subnets: [a] }]\n";
    let mut bench = Bench::new(text);
    bench.run(60);
    assert!(!bench.world.report().nodes[0].ready, "its ENIConfig's subnet is full");
    let mut bench = Bench::new(&text.replace(", used: 11", ""));
    bench.run(60);
    let report = bench.world.report();
    assert!(report.nodes[0].ready);
    assert_eq!(report.nodes[0].ips_total, Ips(9));
    let node = &bench.list(&headroom_lab::kube::resource::CNI_NODES)[0];
    assert_eq!(node["spec"]["features"], json!([{ "name": "CustomNetworking", "value": "us-west-2a" }]));
}
