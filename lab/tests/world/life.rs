//! Addresses come back, nodes go, workloads live.

use headroom_capacity::units::{Enis, Ips};
use headroom_lab::kube::object;
use headroom_lab::kube::resource::{CNI_NODES, NODES};

use crate::bench::{Bench, one_group};

#[test]
fn a_hanging_pod_gets_the_address_of_a_deleted_one_once_it_has_cooled() {
    let mut bench =
        Bench::new(&one_group("t3.small", "count: 1, maxPods: 110", "workloads: [{ name: web, replicas: 10 }]"));
    bench.run(30);
    bench.bind_all();
    bench.run(120);
    let (running, hanging) = bench.with_and_without_ip();
    let freed = bench.pod(&running[0])["status"]["podIP"].clone();
    bench.delete(&running[0]);
    bench.run(25);
    assert_eq!(bench.world.report().nodes[0].ips_cooling, Ips(1));
    assert_eq!(bench.pod(&hanging[0])["status"]["phase"], "Pending");
    bench.run(25);
    let pod = bench.pod(&hanging[0]);
    assert_eq!((&pod["status"]["phase"], &pod["status"]["podIP"]), (&"Running".into(), &freed));
    assert_eq!(bench.world.report().totals.hanging, 0);
}

#[test]
fn a_terminated_instance_gives_everything_back_and_is_replaced() {
    let more = "workloads: [{ name: web, replicas: 20, replace: true }]\n\
                faults: [{ kind: terminateInstance, at: 120s, nodeGroup: workers }]";
    let mut bench = Bench::new(&one_group("m5.large", "count: 1", more));
    bench.run(30);
    bench.bind_all();
    bench.run(85);
    let first = bench.nodes();
    assert_eq!(bench.world.report().totals.with_ip, 20);
    bench.run(20);
    assert_eq!(bench.nodes(), first, "the cluster does not know yet");
    bench.run(120);
    let report = bench.world.report();
    assert_ne!(bench.nodes(), first, "the Auto Scaling group has launched another");
    assert_eq!((report.nodes.len(), report.nodes[0].enis_attached), (1, Enis(1)));
    assert_eq!(report.subnets[0].free_ips, Ips(1024 - 5 - 10), "only the new node's warm pool is taken");
    assert_eq!(bench.pending().len(), 20, "all 20 pods are replaced and wait for a scheduler");
    assert_eq!(bench.list(&CNI_NODES).len(), 1);
}

#[test]
fn cordoning_stops_the_pool_and_taints_the_node() {
    let more = "workloads: [{ name: web, replicas: 10 }]\n\
                faults: [{ kind: cordon, at: 30s, nodeGroup: workers }, { kind: uncordon, at: 120s, nodeGroup: workers }]";
    let mut bench = Bench::new(&one_group("m5.large", "count: 1", more));
    bench.run(31);
    let node = &bench.list(&NODES)[0];
    assert_eq!(node["spec"]["unschedulable"], true);
    assert!(object::items(node, "/spec/taints").iter().any(|taint| taint["key"] == "node.kubernetes.io/unschedulable"));
    bench.bind_all();
    bench.run(80);
    assert_eq!(bench.world.report().nodes[0].ips_total, Ips(9), "the pool stays as it was");
    assert_eq!(bench.world.report().totals.hanging, 1);
    bench.run(60);
    assert_eq!(bench.world.report().totals.hanging, 0);
    assert!(object::items(&bench.list(&NODES)[0], "/spec/taints").is_empty());
}

#[test]
fn throttled_nodes_grow_later() {
    let more = "faults: [{ kind: aws, at: 0s, lasts: 60s, how: throttle }]";
    let mut bench = Bench::new(&one_group("m5.large", "count: 1", more));
    bench.run(50);
    assert_eq!(bench.world.report().nodes[0].ips_total, Ips(0));
    bench.run(30);
    assert_eq!(bench.world.report().nodes[0].ips_total, Ips(9));
}

#[test]
fn a_world_that_is_behind_lists_again() {
    let more = "workloads: [{ name: web, replicas: 3 }]\nfaults: [{ kind: compact, at: 40s }]";
    let mut bench = Bench::new(&one_group("m5.large", "count: 1", more));
    bench.run(30);
    let gone = bench.pending()[0].clone();
    bench.bind_all();
    bench.delete(&gone);
    bench.world.store().lock().unwrap().compact();
    bench.run(30);
    let totals = bench.world.report().totals;
    assert_eq!((totals.bound, totals.with_ip), (2, 2));
}

#[test]
fn jobs_end_and_workloads_are_deleted() {
    let more = "workloads:\n\
                - { name: job, replicas: 3, runFor: 20s }\n\
                - { name: web, replicas: 3, at: 10s, over: 30s, deleteAt: 60s, replace: true }\n";
    let mut bench = Bench::new(&one_group("m5.large", "count: 1", more));
    bench.run(25);
    assert_eq!(bench.pending().len(), 5, "the third web pod comes at 30 s");
    bench.bind_all();
    bench.run(30);
    let phase = |pod: &headroom_lab::kube::Object| object::text(pod, "/status/phase").to_owned();
    let mut phases: Vec<String> = bench.pods().iter().map(phase).collect();
    phases.sort();
    assert_eq!(phases, ["Pending", "Running", "Running", "Succeeded", "Succeeded", "Succeeded"]);
    let report = bench.world.report();
    assert_eq!((report.totals.bound, report.totals.unbound, report.nodes[0].ips_assigned), (2, 1, Ips(2)));
    bench.run(30);
    assert_eq!(bench.pods().len(), 3, "the jobs stay, web is gone for good");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed: u32| {
        let more = format!("seed: {seed}\nworkloads: [{{ name: web, replicas: 60, over: 20s }}]");
        let mut bench = Bench::new(&one_group("c5.xlarge", "count: 1, maxPods: 110", &more));
        bench.run(30);
        bench.bind_all();
        bench.run(100);
        bench.world.report()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
