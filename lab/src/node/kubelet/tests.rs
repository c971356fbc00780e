use std::collections::BTreeMap;

use super::*;

const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 20);
const NO_ADDRESS: &str = "add cmd: failed to assign an IP address to container";

fn view(uid: &str, network: Network) -> PodView {
    PodView {
        uid: uid.into(),
        namespace: "default".into(),
        name: uid.into(),
        node: Some("n1".into()),
        network,
        run_for: None,
        deleting: None,
        ended: false,
        container: ("app".into(), "app:1".into()),
    }
}

/// A kubelet with its timers, and a CNI that has `free` addresses.
struct Bench {
    kubelet: Kubelet,
    now: Time,
    timers: BTreeMap<(Time, usize), Timer>,
    free: usize,
    seen: Vec<(Time, Output)>,
}

impl Bench {
    fn new(max_pods: u32, free: usize) -> Bench {
        let mut kubelet = Kubelet::new(HOST, max_pods);
        kubelet.apply(Input::NetworkReady(true), Time::ZERO, &mut || 0.5);
        Bench { kubelet, now: Time::ZERO, timers: BTreeMap::new(), free, seen: Vec::new() }
    }

    fn input(&mut self, input: Input) {
        for output in self.kubelet.apply(input, self.now, &mut || 0.5) {
            self.seen.push((self.now, output.clone()));
            match output {
                Output::After(time, timer) => {
                    self.timers.insert((self.now + time, self.seen.len()), timer);
                }
                Output::Add(uid, _) if self.free == 0 => self.input(Input::AddFailed(uid, NO_ADDRESS.into())),
                Output::Add(uid, _) => {
                    self.free -= 1;
                    self.input(Input::Added(uid, IP));
                }
                Output::Del(..) => self.free += 1,
                Output::Remove(view) => self.input(Input::Gone(view.uid)),
                Output::Status(..) | Output::Event(..) => {}
            }
        }
    }

    fn run(&mut self, until: Time) {
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= until) {
            self.now = entry.key().0;
            let timer = entry.remove();
            self.input(Input::Due(timer));
        }
        self.now = until;
    }

    fn statuses(&self, uid: &str) -> Vec<&Status> {
        let of_pod = |output: &'_ Output| matches!(output, Output::Status(view, _) if view.uid.as_str() == uid);
        let mine = self.seen.iter().filter(|(_, output)| of_pod(output));
        mine.filter_map(|(_, output)| if let Output::Status(_, status) = output { Some(status) } else { None })
            .collect()
    }

    fn adds(&self) -> Vec<Time> {
        self.seen.iter().filter(|(_, output)| matches!(output, Output::Add(..))).map(|(at, _)| *at).collect()
    }
}

#[test]
fn a_pod_gets_its_address_and_runs() {
    let mut bench = Bench::new(10, 1);
    bench.input(Input::Seen(view("a", Network::Pool)));
    bench.run(Time::from_secs(5));
    assert_eq!(bench.statuses("a"), [&Status::ContainerCreating, &Status::Running(IP)]);
    assert_eq!(bench.kubelet.addresses().map(|(_, ip)| ip).collect::<Vec<_>>(), [Some(IP)]);
}

#[test]
fn host_network_needs_no_cni() {
    let mut bench = Bench::new(10, 0);
    bench.input(Input::Seen(view("a", Network::Host)));
    bench.run(Time::from_secs(5));
    assert_eq!(bench.statuses("a"), [&Status::ContainerCreating, &Status::Running(HOST)]);
    assert_eq!(bench.adds(), []);
}

#[test]
fn a_failed_sandbox_is_tried_again_every_10_to_15_seconds() {
    let mut bench = Bench::new(10, 0);
    bench.input(Input::Seen(view("a", Network::Pool)));
    bench.run(Time::from_secs(60));
    let adds = bench.adds();
    assert_eq!(adds.len(), 5);
    assert!(adds.windows(2).all(|pair| pair[1].since(pair[0]) == Duration::from_millis(12_500)), "{adds:?}");
    let waiting: Vec<_> = bench.kubelet.waiting().collect();
    assert_eq!((waiting.len(), waiting[0].failed_adds, bench.kubelet.failed_adds()), (1, 5, 5));
    assert!(
        waiting[0].message.ends_with(&format!("plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): {NO_ADDRESS}"))
    );
    bench.free = 1;
    bench.run(Time::from_secs(80));
    assert_eq!(bench.statuses("a").last(), Some(&&Status::Running(IP)));
    assert_eq!(bench.kubelet.waiting().count(), 0);
}

#[test]
fn more_than_max_pods_are_refused() {
    let mut bench = Bench::new(2, 5);
    for uid in ["a", "b", "c"] {
        bench.input(Input::Seen(view(uid, Network::Pool)));
    }
    let message = "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2";
    assert_eq!(bench.statuses("c"), [&Status::Rejected("OutOfpods", message.into())]);
    assert_eq!(bench.kubelet.active(), 2);
}

#[test]
fn a_deleted_pod_keeps_its_address_until_it_has_stopped() {
    let mut bench = Bench::new(10, 1);
    bench.input(Input::Seen(view("a", Network::Pool)));
    bench.run(Time::from_secs(5));
    bench.input(Input::Seen(PodView { deleting: Some(Duration::from_secs(30)), ..view("a", Network::Pool) }));
    assert_eq!(bench.free, 0);
    bench.run(Time::from_secs(10));
    assert_eq!(bench.free, 1);
    let end: Vec<_> = bench.seen.iter().rev().take(2).map(|(_, output)| output.clone()).collect();
    assert!(matches!(&end[..], [Output::Remove(_), Output::Del(_, Network::Pool)]), "DEL first: {end:?}");
}

#[test]
fn a_pod_deleted_while_it_waits_asks_for_no_more() {
    let mut bench = Bench::new(10, 0);
    bench.input(Input::Seen(view("a", Network::Pool)));
    bench.run(Time::from_secs(5));
    bench.input(Input::Seen(PodView { deleting: Some(Duration::ZERO), ..view("a", Network::Pool) }));
    bench.run(Time::from_secs(60));
    assert_eq!(bench.adds().len(), 1);
    assert_eq!(bench.free, 0, "nothing was held, nothing is released");
}

#[test]
fn a_pod_removed_by_force_still_frees_its_address() {
    let mut bench = Bench::new(10, 1);
    bench.input(Input::Seen(view("a", Network::Pool)));
    bench.run(Time::from_secs(5));
    bench.input(Input::Gone("a".into()));
    bench.run(Time::from_secs(10));
    assert_eq!(bench.free, 1);
}

#[test]
fn a_pod_that_ends_by_itself_frees_its_address_and_its_slot() {
    let mut bench = Bench::new(1, 1);
    bench.input(Input::Seen(PodView { run_for: Some(Duration::from_secs(20)), ..view("a", Network::Pool) }));
    bench.run(Time::from_secs(30));
    assert_eq!(bench.statuses("a").last(), Some(&&Status::Succeeded(IP)));
    assert_eq!((bench.free, bench.kubelet.active()), (1, 0));
}

#[test]
fn pods_wait_for_the_network() {
    let mut bench = Bench::new(10, 1);
    bench.input(Input::NetworkReady(false));
    bench.input(Input::Seen(view("a", Network::Pool)));
    bench.run(Time::from_secs(5));
    assert_eq!(bench.adds(), []);
    bench.input(Input::NetworkReady(true));
    bench.run(Time::from_secs(8));
    assert_eq!(bench.statuses("a").last(), Some(&&Status::Running(IP)));
}
