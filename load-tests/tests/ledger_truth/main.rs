//! The advisor's ledger against the lab's own truth, address by address, in random clusters at random times.
//!
//! The ledger is built from what the APIs show ([`view`]): EC2's ENIs, instances and subnets, and the changes of Kubernetes
//! objects as a watch tells them. The truth comes from inside the lab ([`truth`]): the VPC's allocation of each address, and the
//! data store of each node's ipamd. Both are of the same moment. They must agree on the owner of every address, and on what is
//! free in each subnet.
//!
//! Three things no API shows, and there the ledger is held to what can be known. Their shares are printed.
//!
//! - kubelet writes a pod's address when its containers have started, up to a second after ipamd assigned it. Until then the
//!   address is warm in the books.
//! - A pod that ends before that gives back an address that it never showed. The books do not see it cool.
//! - A block that ipamd gives back and EC2 attaches again within the cool-down has no cool-down in the data store, which forgot
//!   it (CNI `FindFreeableCidrs` does not look at cool-downs). In the books it cools to the end.
//!
//! 100 clusters by default. All thousand:
//!
//! ```text
//! HEADROOM_TRUTH_CASES=1000 cargo test -p headroom-load-tests --test ledger_truth -- --nocapture
//! ```

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod drive;
mod truth;
mod view;
mod worlds;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use headroom_advisor::ledger::{Owner, Policy, build, owners};

use drive::Drive;
use truth::{Seen, Truth};

const CASES: u64 = 100;
/// Looks at each cluster.
const LOOKS: u32 = 6;

fn cases() -> u64 {
    match std::env::var("HEADROOM_TRUTH_CASES") {
        Ok(text) => text.parse().expect("HEADROOM_TRUTH_CASES is a number of clusters, 1000 for example"),
        Err(_) => CASES,
    }
}

/// Addresses by owner, and by what no API shows of them.
#[derive(Debug, Default)]
struct Totals {
    looks: u64,
    owners: BTreeMap<Owner, u64>,
    hidden: BTreeMap<Seen, u64>,
    leaks: usize,
}

fn compare(drive: &Drive, policy: &Policy, case: u64, totals: &mut Totals) {
    let now = drive.world.now();
    let inventory = view::inventory(&drive.vpc(), &drive.cluster_name, now);
    let cluster = drive.watch.state();
    let books = owners(&inventory, cluster, policy, now);
    let truth = Truth::of(drive, policy);

    let told: BTreeMap<_, _> = books.iter().map(|(subnet, ip, owner)| ((subnet.clone(), *ip), *owner)).collect();
    let real: BTreeMap<_, _> = truth.owners.iter().map(|(at, (owner, _))| (at.clone(), *owner)).collect();
    let wrong: Vec<String> = truth
        .owners
        .iter()
        .filter(|(at, (owner, _))| told.get(*at) != Some(owner))
        .map(|(at, (owner, why))| format!("{} {}: {:?} in the books, {owner:?} ({why:?})", at.0, at.1, told.get(at)))
        .collect();
    assert!(wrong.is_empty(), "case {case} at {now}, seed {case}: {wrong:#?}");
    assert_eq!(told.len(), real.len(), "case {case} at {now}: the books hold what nobody has");

    let ledger = build(&inventory, cluster, policy, now);
    for subnet in drive.vpc().subnets(now) {
        let account = &ledger.subnets[&subnet.id];
        let free = (account.free_ips, account.free_prefixes);
        assert_eq!(free, (subnet.free_ips, subnet.free_prefixes), "case {case} at {now}: {}", subnet.id);
        assert!(account.conflicts.is_zero(), "case {case} at {now}: {account:?}");
    }
    let leaks: Vec<_> = ledger.leaks.iter().map(|leak| (leak.eni.clone(), leak.ips.get())).collect();
    assert_eq!(BTreeMap::from_iter(leaks), truth.leaks, "case {case} at {now}");

    totals.looks += 1;
    totals.leaks += truth.leaks.len();
    for (owner, why) in truth.owners.values() {
        *totals.owners.entry(*owner).or_default() += 1;
        *totals.hidden.entry(*why).or_default() += 1;
    }
}

fn run(case: u64, totals: &mut Totals) {
    let mut drive = Drive::new(case);
    let policy = drive.policy();
    for _ in 0..LOOKS {
        drive.go_on();
        compare(&drive, &policy, case, totals);
    }
}

fn merge(mut all: Totals, one: Totals) -> Totals {
    all.looks += one.looks;
    all.leaks += one.leaks;
    one.owners.into_iter().for_each(|(owner, count)| *all.owners.entry(owner).or_default() += count);
    one.hidden.into_iter().for_each(|(why, count)| *all.hidden.entry(why).or_default() += count);
    all
}

#[test]
fn the_books_are_true() {
    let (cases, next) = (cases(), AtomicU64::new(0));
    let totals = thread::scope(|scope| {
        let worker = || {
            let mut totals = Totals::default();
            while let Some(case) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|case| *case < cases) {
                run(case, &mut totals);
            }
            totals
        };
        let workers: Vec<_> =
            (0..thread::available_parallelism().map_or(1, usize::from)).map(|_| scope.spawn(worker)).collect();
        let all =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        all.fold(Totals::default(), merge)
    });
    println!("{cases} clusters, {totals:#?}");
    if cases >= CASES {
        for owner in Owner::ALL {
            assert!(totals.owners.contains_key(&owner), "no cluster had an address of {owner:?}: the test is too tame");
        }
    }
}
