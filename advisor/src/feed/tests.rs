use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use headroom_capacity::budget::Budget;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_capacity::verdict::Reason;
use headroom_proto::v1::capacity_feed_server::CapacityFeed as _;
use headroom_proto::v1::{CapacityUpdate, NodeCapacity, WatchRequest};
use prost::Message as _;
use tonic::{Code, Request};

use super::*;
use crate::ledger::{InFlight, Ledger, NodeAccount, Owner, SubnetAccount};

fn config(max_clients: u32, history: u32) -> config::Feed {
    config::Feed { max_clients, history }
}

/// A state that differs from every other in its one node.
fn state(attached: u32) -> FeedState {
    let node = NodeCapacity { name: "n1".to_owned(), attached_ips: attached, ..NodeCapacity::default() };
    FeedState { nodes: [("n1".to_owned(), Arc::new(node))].into(), ..FeedState::default() }
}

struct Running {
    feed: Feed,
    service: Service,
    stop: watch::Sender<bool>,
}

fn running(config: &config::Feed) -> Running {
    let feed = Feed::new("epoch", config);
    let (stop, stopped) = watch::channel(false);
    let service = Service::new(Arc::clone(&feed.shared), stopped);
    Running { feed, service, stop }
}

type Updates = <Service as headroom_proto::v1::capacity_feed_server::CapacityFeed>::WatchStream;

impl Running {
    async fn watch(&self, client: &str, generation: u64) -> Result<Updates, Code> {
        let request = WatchRequest { client: client.to_owned(), epoch: "epoch".to_owned(), generation };
        let response = self.service.watch(Request::new(request)).await;
        response.map(tonic::Response::into_inner).map_err(|status| status.code())
    }

    fn count(&self, of: impl Fn(&Counters) -> &AtomicU64) -> u64 {
        of(self.feed.counters()).load(Ordering::Relaxed)
    }
}

async fn next(updates: &mut Updates) -> CapacityUpdate {
    updates.next().await.expect("the stream goes on").expect("no error")
}

#[tokio::test]
async fn nothing_is_served_before_there_is_something_or_to_more_clients_than_allowed() {
    let running = running(&config(1, 4));
    assert_eq!(running.watch("a", 0).await.err(), Some(Code::Unavailable));
    running.feed.publish(state(1), Time::ZERO);
    assert_eq!(running.watch(&"ü".repeat(101), 0).await.err(), Some(Code::InvalidArgument));
    let first = running.watch(&"ü".repeat(100), 0).await;
    assert!(first.is_ok());
    assert_eq!(running.watch("b", 0).await.err(), Some(Code::ResourceExhausted));
    assert_eq!(running.count(|counters| &counters.clients), 1);
    drop(first);
    assert_eq!(running.count(|counters| &counters.clients), 0);
    assert!(running.watch("b", 0).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_what_changed_and_one_that_is_too_slow_gets_it_all() {
    let running = running(&config(2, 2));
    running.feed.publish(state(1), Time::from_secs(1));
    let mut updates = running.watch("a", 0).await.unwrap();
    let whole = next(&mut updates).await;
    assert_eq!((whole.generation, whole.base_generation, whole.complete), (1, 0, true));

    running.feed.publish(state(2), Time::from_secs(2));
    let step = next(&mut updates).await;
    assert_eq!((step.generation, step.base_generation, step.nodes[0].attached_ips), (2, 1, 2));
    // The step tells its own time; the same state seen again is told as such.
    running.feed.publish(state(2), Time::from_secs(3));
    let again = next(&mut updates).await;
    assert_eq!((again.generation, again.base_generation, again.nodes.len()), (2, 2, 0));
    assert_eq!(again.observed_at.unwrap().seconds, 3);
    let before = tokio::time::Instant::now();
    assert_eq!(next(&mut updates).await, again, "a heartbeat");
    assert_eq!(before.elapsed(), Duration::from_secs(10));

    (3..6).for_each(|attached| running.feed.publish(state(attached), Time::from_secs(4)));
    let whole = next(&mut updates).await;
    assert_eq!((whole.generation, whole.base_generation, whole.nodes[0].attached_ips), (5, 0, 5));
    assert_eq!((running.count(|counters| &counters.lagged), running.count(|counters| &counters.whole_sent)), (1, 2));

    // One that comes back with what the ring still knows is told the rest.
    let mut back = running.watch("b", 4).await.unwrap();
    assert_eq!(next(&mut back).await.base_generation, 4);
    let mut older = running.watch("c", 1).await;
    assert!(older.is_err(), "two are there");
    drop(updates);
    older = running.watch("c", 1).await;
    assert_eq!(next(&mut older.unwrap()).await.base_generation, 0);
    assert_eq!(running.count(|counters| &counters.lagged), 1, "it was not connected when it fell behind");

    running.stop.send_replace(true);
    assert!(back.next().await.is_none(), "streams end at shutdown");
    assert_eq!(running.watch("d", 0).await.err(), Some(Code::Unavailable));
}

#[test]
fn a_whole_state_comes_in_messages_of_less_than_a_mebibyte_and_nothing_twice() {
    let name = |n: u32| format!("ip-10-0-0-{n}.{}", "x".repeat(200));
    let node = |n| (name(n), Arc::new(NodeCapacity { name: name(n), ..NodeCapacity::default() }));
    let nodes: BTreeMap<_, _> = (0..12_000).map(node).collect();
    let messages = whole_messages("epoch", Arc::new(FeedState { nodes, ..FeedState::default() }), 7, Time::ZERO);
    assert!(messages.len() > 1 && messages.iter().all(|message| message.encoded_len() <= 1 << 20));
    let parts: Vec<(u32, bool)> = messages.iter().map(|message| (message.part, message.complete)).collect();
    let last = u32::try_from(parts.len()).unwrap() - 1;
    assert_eq!(parts, (0..=last).map(|part| (part, part == last)).collect::<Vec<_>>());
    let names: std::collections::BTreeSet<&str> =
        messages.iter().flat_map(|message| &message.nodes).map(|node| node.name.as_str()).collect();
    let sent: usize = messages.iter().map(|message| message.nodes.len()).sum();
    assert_eq!((names.len(), sent), (12_000, 12_000));
}

#[test]
fn only_what_comes_to_no_node_yet_is_taken_off_what_is_free() {
    let subnet = SubnetId::from("subnet-a");
    let account = |free: u32, in_flight: u32| SubnetAccount {
        cidr: Cidr::new([10, 0, 0, 0].into(), 24).unwrap(),
        az: "a".into(),
        reserved: Ips(5),
        cidr_reserved: Ips(0),
        held: [Ips(0); Owner::ALL.len()],
        free_ips: Ips(free),
        free_prefixes: Prefixes(free / 16),
        in_flight_ips: Ips(in_flight),
        in_flight_prefixes: Prefixes(0),
        reported_free: Ips(free),
        conflicts: Ips::ZERO,
    };
    let coming = InFlight { subnet: subnet.clone(), ips: Ips(10), prefixes: Prefixes(0) };
    let node = NodeAccount {
        instance: None,
        group: None,
        az: None,
        budget: Budget::Unknown(Reason::UnknownInstanceType),
        enis: Enis(2),
        pod_enis: Enis(1),
        unmanaged: Enis(0),
        excluded: Enis(0),
        trunk: true,
        attached: Ips(4),
        prefixes: Prefixes(0),
        assigned: Ips(0),
        cooling: Ips(0),
        waiting: 0,
        branch: Enis(0),
        free_slots: BTreeMap::from([(subnet.clone(), 5), (SubnetId::from("subnet-b"), 0)]),
        primary_subnet: Some(subnet.clone()),
        new_eni_subnets: vec![subnet.clone()],
        in_flight: vec![coming],
    };
    let free = |free, in_flight| {
        let ledger = Ledger {
            nodes: [("n1".into(), node.clone())].into(),
            subnets: [(subnet.clone(), account(free, in_flight))].into(),
            ..Ledger::default()
        };
        let state = view(&ledger, &BTreeMap::new());
        let node = &state.nodes["n1"];
        assert_eq!((node.trunk_attached, node.attached_ips, node.free_slots.len()), (true, 4, 1));
        state.subnets["subnet-a"].free_ips
    };
    assert_eq!(free(100, 10), 100, "all of it is the node's");
    assert_eq!(free(100, 40), 70, "30 are for instances that are no nodes yet");
    assert_eq!(free(20, 40), 0);
}
