//! ENIs that nobody uses any more: told, tried, deleted, and left alone.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use headroom_advisor::config::{Config, LeaderElection, LeakAction, Leaks};
use headroom_capacity::ids::{EniId, SubnetId};
use headroom_lab::aws::{NewEni, Tags};
use headroom_lab::node::timestamp;

use crate::rig::{Page, Rig, begins_to_lead, config, ready, until};

const DAY: Duration = Duration::from_secs(86_400);
/// An instance that is no more.
const GONE: &str = "i-0123456789abcdef0";

struct Leaked {
    /// Of this cluster, with 11 and 6 addresses.
    ours: [EniId; 2],
    /// As well, with 3: the last in turn.
    last: EniId,
    /// Of another cluster.
    others: EniId,
    /// Just made: on its way.
    young: EniId,
}

/// As ipamd leaves an ENI that it has made and not yet attached (CNI `createENITags`).
fn leaked(rig: &Rig, cluster: &str, age: Duration, ips: u32) -> EniId {
    let now = rig.now();
    let tags = [
        ("node.k8s.amazonaws.com/instance_id", GONE.to_owned()),
        ("node.k8s.amazonaws.com/createdAt", timestamp(now - age)),
        ("cluster.k8s.amazonaws.com/name", cluster.to_owned()),
        ("eks:eni:owner", "amazon-vpc-cni".to_owned()),
    ];
    let subnet = SubnetId::from(rig.lab.report().subnets[0].id.as_str());
    let new = NewEni {
        secondary_ips: ips - 1,
        description: format!("aws-K8S-{GONE}"),
        tags: tags.map(|(key, value)| (key.to_owned(), value)).into_iter().collect::<Tags>(),
        ..NewEni::in_subnet(subnet)
    };
    rig.vpc().create_eni(new, now).unwrap().id
}

async fn rig() -> (Rig, Leaked) {
    let rig = Rig::quiet().await;
    rig.nodes_ready(2).await;
    let leaked = Leaked {
        last: leaked(&rig, "headroom-lab", DAY, 3),
        ours: [leaked(&rig, "headroom-lab", DAY, 11), leaked(&rig, "headroom-lab", DAY, 6)],
        others: leaked(&rig, "other", DAY, 4),
        young: leaked(&rig, "headroom-lab", Duration::from_secs(10), 5),
    };
    (rig, leaked)
}

/// It reads ENIs once: the books go on as they were.
fn with(action: LeakAction, lease: &str) -> Config {
    let mut config = config();
    config.observe.enis_secs = 3600;
    config.leaks = Leaks { action, ..Leaks::default() };
    config.leader_election = LeaderElection { name: lease.to_owned(), ..config.leader_election };
    config
}

fn there(rig: &Rig) -> BTreeSet<EniId> {
    rig.vpc().enis().map(|eni| eni.id.clone()).collect()
}

async fn deletions(admin: SocketAddr) -> f64 {
    Page::of(admin).await.calls("DeleteNetworkInterface", "ok")
}

async fn until_deletions(admin: SocketAddr, wanted: f64) {
    until("EC2 is asked to delete", async || {
        let deletions = deletions(admin).await;
        if deletions >= wanted { Ok(()) } else { Err(format!("{deletions} of {wanted} times")) }
    })
    .await;
}

/// Lets so much of the lab's time pass.
async fn pass(rig: &Rig, time: Duration) {
    tokio::time::sleep(rig.lab.clock().real(time)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn report_names_them_and_dry_run_deletes_nothing() {
    let (rig, _) = rig().await;
    let before = there(&rig);
    let report = rig.advisor(with(LeakAction::Report, "report")).await;
    let dry_run = rig.advisor(with(LeakAction::DryRun, "dry-run")).await;
    let subnet = rig.lab.report().subnets[0].id.clone();
    for advisor in [&report, &dry_run] {
        ready(advisor.admin_addr()).await;
        let page = Page::of(advisor.admin_addr()).await;
        let place = format!("subnet=\"{subnet}\",az=\"us-west-2a\"");
        assert_eq!(page.get(&format!("leaked_enis{{{place}}}")), 3.0);
        assert_eq!(page.get(&format!("subnet_held_ips{{{place},owner=\"leaked\"}}")), 20.0);
        assert_eq!(page.get(&format!("subnet_held_ips{{{place},owner=\"foreign\"}}")), 9.0);
    }
    until_deletions(dry_run.admin_addr(), 3.0).await;
    // Another look, and none is tried twice within the hour.
    pass(&rig, Duration::from_secs(45)).await;
    assert_eq!((deletions(dry_run.admin_addr()).await, deletions(report.admin_addr()).await), (3.0, 0.0));
    assert_eq!(there(&rig), before);
    report.stop().await.unwrap();
    dry_run.stop().await.unwrap();
    rig.lab.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delete_takes_exactly_those_that_are_still_leaked_one_at_a_time() {
    let (rig, leaked) = rig().await;
    let before = there(&rig);
    let leader = rig.advisor(with(LeakAction::Delete, "delete")).await;
    begins_to_lead(leader.admin_addr()).await;
    let follower = rig.advisor(with(LeakAction::Delete, "delete")).await;
    ready(leader.admin_addr()).await;
    ready(follower.admin_addr()).await;

    let gone = until("the first is deleted", async || {
        let gone: Vec<EniId> = before.difference(&there(&rig)).cloned().collect();
        if gone.is_empty() { Err("none is".to_owned()) } else { Ok(gone) }
    })
    .await;
    assert_eq!(gone, [leaked.ours[0].clone()], "the largest goes first");
    let first = rig.now();
    {
        // The books still have it as leaked.
        let mut vpc = rig.vpc();
        let subnet = vpc.eni(&leaked.last).unwrap().subnet.clone();
        let instance = vpc.instances().find(|instance| instance.subnet == subnet).unwrap().id.clone();
        vpc.attach_eni(&leaked.last, &instance, 2, first).unwrap();
    }
    until_deletions(leader.admin_addr(), 2.0).await;
    assert!(rig.now().since(first) > Duration::from_secs(20), "one in each look at the books");
    let reads = Page::of(leader.admin_addr()).await.calls("DescribeNetworkInterfaces", "ok");
    until("the last is looked at", async || {
        let now = Page::of(leader.admin_addr()).await.calls("DescribeNetworkInterfaces", "ok");
        if now > reads { Ok(()) } else { Err(format!("{now} reads")) }
    })
    .await;
    pass(&rig, Duration::from_secs(45)).await;
    let left = there(&rig);
    assert_eq!(before.difference(&left).cloned().collect::<BTreeSet<_>>(), BTreeSet::from(leaked.ours));
    assert!([leaked.last, leaked.others, leaked.young].iter().all(|eni| left.contains(eni)));
    let [of_leader, of_follower] = [Page::of(leader.admin_addr()).await, Page::of(follower.admin_addr()).await];
    assert_eq!(of_leader.calls("DeleteNetworkInterface", "ok"), 2.0);
    assert_eq!(of_leader.calls("DeleteNetworkInterface", "other"), 0.0, "none that EC2 has to refuse");
    assert_eq!(of_follower.calls("DeleteNetworkInterface", "ok"), 0.0);
    follower.stop().await.unwrap();
    leader.stop().await.unwrap();
    rig.lab.shutdown().await;
}
