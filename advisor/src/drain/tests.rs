//! The steps against a small world in which everything fails: calls are lost before or after they had their effect, arrive late, and the
//! process is killed between any two of them.

use headroom_capacity::binding::Requests;
use headroom_capacity::verdict::Demand;
use headroom_cluster::Placement;
use headroom_cluster::drain::Owner;

use super::*;
use crate::inventory::InstanceId;

const LIMITS: Limits =
    Limits { settle: Duration::from_secs(5), drain: Duration::from_secs(600), in_doubt: Duration::from_secs(60) };
const I: &str = "i-1";

fn at(secs: u64) -> Time {
    Time::from_secs(1_000_000 + secs)
}

fn pod(name: &str) -> Tenant {
    Tenant {
        uid: name.into(),
        namespace: "default".into(),
        name: name.into(),
        labels: Default::default(),
        owner: Owner::Controller,
        mirror: false,
        finished: false,
        deleting: false,
        demand: Demand::PodIp,
        requests: Requests::default(),
        placement: Placement::default(),
        ties: Default::default(),
        has_ip: true,
        local_storage: false,
        claims: Default::default(),
        pinned: None,
        safe_to_evict: None,
        grace: Duration::from_secs(30),
    }
}

fn group(lifecycles: &[(&str, &str)], desired: u32) -> Group {
    let member = |(id, lifecycle): &(&str, &str)| Member {
        instance: InstanceId::from(*id),
        instance_type: "m5.large".into(),
        lifecycle: (*lifecycle).into(),
        protected: false,
    };
    Group {
        name: "workers".into(),
        min: 1,
        max: 10,
        desired,
        subnets: Vec::new(),
        members: lifecycles.iter().map(member).collect(),
        types: Vec::new(),
        suspended: Vec::new(),
        tags: Default::default(),
    }
}

fn mark(began: u64, sent: Option<u64>) -> Mark {
    Mark {
        began_at_ms: at(began).as_millis(),
        generation: 1,
        instance: I.to_owned(),
        terminate_sent_at_ms: sent.map(|secs| at(secs).as_millis()),
    }
}

fn no() -> Result<(), Because> {
    Err(Refusal::EndpointNotReachable.into())
}

#[test]
fn each_step_follows_from_what_is_seen() {
    let two = group(&[(I, "InService"), ("i-2", "InService")], 2);
    let leaving = group(&[(I, "Terminating:Wait"), ("i-2", "InService")], 1);
    let least = Group { min: 2, ..two.clone() };
    let leaving_one = Group { desired: 3, ..two.clone() };
    let without = group(&[("i-2", "InService")], 2);
    let (daemon, web) = (Tenant { owner: Owner::DaemonSet, ..pod("agent") }, pod("web"));
    let going = Tenant { deleting: true, ..web.clone() };
    let (fresh, old, sent) = (mark(0, None), mark(0, None), mark(0, Some(100)));
    let seen = |now: u64, mark, tenants, group, may| Seen {
        now: at(now),
        mark,
        there: true,
        tenants,
        group,
        may,
        pods_may: Ok(()),
        desired: Some(2),
    };
    let ready = [daemon.clone()];
    let (both, ending) = ([daemon.clone(), web.clone()], [daemon, going]);
    for (what, seen, step) in [
        ("not begun", seen(0, None, &both[..], Some(&two), Ok(())), Step::Mark),
        (
            "just marked",
            seen(3, Some(&fresh), &both, Some(&two), Ok(())),
            Step::Wait("kube-scheduler, to see the taint"),
        ),
        ("settled", seen(5, Some(&fresh), &both, Some(&two), Ok(())), Step::Evict(vec!["web".into()])),
        ("pods end", seen(9, Some(&fresh), &ending, Some(&two), Ok(())), Step::Wait("its pods, to end")),
        ("empty", seen(9, Some(&fresh), &ready, Some(&two), Ok(())), Step::Terminate),
        ("gone from its group", seen(200, Some(&sent), &ready, Some(&without), no()), Step::Done),
        ("on its way out", seen(9, Some(&fresh), &ready, Some(&leaving), no()), Step::Done),
        ("unread group", seen(9, Some(&fresh), &ready, None, Ok(())), Step::Wait("the group, to be read")),
        ("in doubt", seen(120, Some(&sent), &ready, Some(&two), no()), Step::Wait("the termination")),
        (
            "in doubt and blind",
            seen(500, Some(&sent), &ready, None, no()),
            Step::Wait("the group, to know whether the instance ends"),
        ),
        ("did not come", seen(200, Some(&sent), &ready, Some(&two), Ok(())), Step::Terminate),
    ] {
        assert_eq!(next(I, &seen, &LIMITS), step, "{what}");
    }
    let given_back = |seen: &Seen<'_>| match next(I, seen, &LIMITS) {
        Step::GiveBack(because) => because.refusal,
        other => panic!("{other:?}"),
    };
    for (refusal, seen) in [
        (Refusal::EndpointNotReachable, seen(9, Some(&fresh), &both[..], None, no())),
        (Refusal::EndpointNotReachable, seen(200, Some(&sent), &ready, Some(&two), no())),
        (Refusal::EndpointNotReachable, seen(0, None, &both, None, Ok(()))),
        (Refusal::MinSize, seen(0, None, &both, Some(&least), Ok(()))),
        (Refusal::GroupChanged, seen(0, None, &both, Some(&leaving_one), Ok(()))),
        (Refusal::GroupChanged, seen(9, Some(&fresh), &both, Some(&without), Ok(()))),
        (
            Refusal::PodNotReplicated,
            Seen {
                pods_may: Err(Refusal::PodNotReplicated.into()),
                ..seen(9, Some(&fresh), &both, Some(&two), Ok(()))
            },
        ),
        (Refusal::MinSize, seen(9, Some(&fresh), &both, Some(&least), Ok(()))),
        (Refusal::DrainTimeout, seen(600, Some(&old), &both, Some(&two), Ok(()))),
    ] {
        assert_eq!(given_back(&seen), refusal);
    }
}

/// What there is, whoever looks at it.
struct World {
    now: u64,
    mark: Option<Mark>,
    alive: bool,
    lifecycle: &'static str,
    desired: u32,
    /// Pods on the node, each with the second at which it is gone, once it was evicted.
    pods: Vec<(Tenant, Option<u64>)>,
    born: u32,
    /// When a termination arrives that is on its way.
    coming: Vec<u64>,
    /// How AWS and the API server are at the moment.
    aws: bool,
    kube: bool,
    begun_on_closed_gate: bool,
    ended_with_pods: u32,
}

impl World {
    fn new(rng: &mut fastrand::Rng) -> World {
        let pods = (0..rng.usize(0..6)).map(|nth| (pod(&format!("p{nth}")), None)).collect();
        World {
            now: 0,
            mark: None,
            alive: true,
            lifecycle: "InService",
            desired: 2,
            pods,
            born: 0,
            coming: Vec::new(),
            aws: true,
            kube: true,
            begun_on_closed_gate: false,
            ended_with_pods: 0,
        }
    }

    /// A second passes.
    fn pass(&mut self, rng: &mut fastrand::Rng, faults: bool) {
        self.now += 1;
        if faults {
            self.aws = if self.aws { rng.u32(0..40) > 0 } else { rng.u32(0..15) == 0 };
            self.kube = if self.kube { rng.u32(0..40) > 0 } else { rng.u32(0..15) == 0 };
        } else {
            (self.aws, self.kube) = (true, true);
        }
        let now = self.now;
        self.pods.retain(|(_, gone)| gone.is_none_or(|gone| gone > now));
        // kube-scheduler uses a node that has no taint.
        if self.mark.is_none() && self.lifecycle == "InService" && rng.u32(0..20) == 0 && self.pods.len() < 8 {
            self.born += 1;
            self.pods.push((pod(&format!("n{}", self.born)), None));
        }
        if self.coming.iter().any(|at| *at <= now) {
            self.coming.retain(|at| *at > now);
            self.terminate();
        }
    }

    /// As Auto Scaling does: once.
    fn terminate(&mut self) {
        if self.lifecycle != "InService" || self.desired <= 1 {
            return;
        }
        self.desired -= 1;
        self.lifecycle = "Terminating";
        self.ended_with_pods += u32::try_from(self.pods.iter().filter(|(_, gone)| gone.is_none()).count()).unwrap();
    }

    /// One look and one step, as whoever leads takes it. `cut` ends the process after so many effects.
    fn step(&mut self, rng: &mut fastrand::Rng, wanted: bool, mut cut: u32) {
        let members: &[(&str, &str)] = &[(I, self.lifecycle), ("i-2", "InService")];
        let group = group(members, self.desired);
        let gate = if self.aws { Ok(()) } else { no() };
        if !self.kube {
            // Without the node nothing is known, and nothing can be done.
            return;
        }
        let tenants: Vec<Tenant> =
            self.pods.iter().map(|(pod, gone)| Tenant { deleting: gone.is_some(), ..pod.clone() }).collect();
        let mark = self.mark.clone();
        if mark.is_none() && !wanted {
            return;
        }
        let seen = Seen {
            now: at(self.now),
            mark: mark.as_ref(),
            there: self.alive,
            tenants: &tenants,
            group: self.aws.then_some(&group),
            may: gate.clone(),
            pods_may: Ok(()),
            desired: Some(2),
        };
        let mut effect = || {
            let lives = cut > 0;
            cut = cut.saturating_sub(1);
            lives
        };
        match next(I, &seen, &LIMITS) {
            Step::Mark => {
                self.begun_on_closed_gate |= gate.is_err();
                if effect() {
                    self.mark = Some(super::tests::mark(self.now, None));
                }
            }
            Step::Evict(uids) => {
                for (pod, gone) in &mut self.pods {
                    if uids.contains(&pod.uid) && effect() && rng.u32(0..3) > 0 {
                        *gone = Some(self.now + rng.u64(1..40));
                    }
                }
            }
            Step::Terminate => {
                let noted = Mark { terminate_sent_at_ms: Some(at(self.now).as_millis()), ..mark.unwrap() };
                if effect() {
                    self.mark = Some(noted);
                    if effect() {
                        match rng.u32(0..4) {
                            // Lost on the way there.
                            0 => {}
                            // Late, but within the time of a call.
                            1 => self.coming.push(self.now + rng.u64(1..30)),
                            _ => self.terminate(),
                        }
                    }
                }
            }
            Step::GiveBack(_) => {
                if effect() {
                    self.mark = None;
                }
            }
            Step::Wait(_) | Step::Done => {}
        }
    }
}

#[test]
fn no_schedule_of_faults_loses_a_pod_or_leaves_a_node_cordoned() {
    let (mut gone, mut kept) = (0, 0);
    for seed in 0..2000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = World::new(&mut rng);
        let until = rng.u64(20..900);
        let wanted_until = rng.u64(1..60);
        for second in 0..4000 {
            let faults = second < until;
            world.pass(&mut rng, faults);
            // The process is dead for a while now and then, and may die within a step.
            if faults && rng.u32(0..4) == 0 {
                continue;
            }
            let cut = if faults && rng.u32(0..5) == 0 { rng.u32(0..3) } else { u32::MAX };
            world.step(&mut rng, second < wanted_until, cut);
        }
        assert!(!world.begun_on_closed_gate, "seed {seed}");
        assert_eq!(world.ended_with_pods, 0, "seed {seed}: pods ended with their node");
        assert_eq!(world.desired, 2 - u32::from(world.lifecycle != "InService"), "seed {seed}");
        if world.lifecycle == "InService" {
            assert_eq!(world.mark, None, "seed {seed}: left cordoned");
            kept += 1;
        } else {
            gone += 1;
        }
    }
    assert!(gone > 200 && kept > 20, "{gone} removed and {kept} kept: both ends were seen");
}
