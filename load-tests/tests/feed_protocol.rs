//! The advisor's history and the extender's assembler against each other: whatever is dropped, cut off or missed, what the extender has is
//! a state that the advisor had, and after the last message it is the current one.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_advisor::feed::{FeedState, History, Since, whole_messages};
use headroom_capacity::allot::Free;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips};
use headroom_extender::feed::{Assembler, Change};
use headroom_proto::v1::{CapacityUpdate, FreeSlots, NodeCapacity, SubnetCapacity};
use proptest::prelude::*;

/// Attached addresses, ENIs, and free slots by the length of the subnet's name.
type Node = (u32, u32, Vec<(usize, u32)>);

/// What an extender has, in the form that both sides can be compared in.
#[derive(Clone, Debug, Default, PartialEq)]
struct Picture {
    nodes: BTreeMap<String, Node>,
    subnets: BTreeMap<String, (u32, u32)>,
}

impl Picture {
    fn apply(&mut self, change: Change) {
        if change.whole {
            *self = Picture::default();
        }
        for name in change.gone_nodes {
            self.nodes.remove(&*name);
        }
        for id in change.gone_subnets {
            self.subnets.remove(id.as_str());
        }
        for (name, shown) in change.nodes {
            let (Ips(attached), Enis(enis)) = (shown.attached, shown.pod_enis);
            let slots = shown.free_slots.iter().map(|(subnet, slots)| (subnet.as_str().len(), *slots)).collect();
            self.nodes.insert(name.to_string(), (attached, enis, slots));
        }
        for (id, Free { ips, prefixes }) in change.subnets {
            self.subnets.insert(id.to_string(), (ips.get(), prefixes.get()));
        }
    }

    fn of(state: &FeedState) -> Picture {
        let node = |node: &NodeCapacity| {
            let slots = node.free_slots.iter().map(|free| (free.subnet.len(), free.slots)).collect();
            (node.attached_ips, node.pod_enis, slots)
        };
        Picture {
            nodes: state.nodes.iter().map(|(name, value)| (name.clone(), node(value))).collect(),
            subnets: state
                .subnets
                .iter()
                .map(|(id, value)| (id.clone(), (value.free_ips, value.free_prefixes)))
                .collect(),
        }
    }
}

fn state(nodes: &BTreeMap<u8, u32>, padding: usize) -> FeedState {
    let slots = |count: u32| vec![FreeSlots { subnet: "x".repeat(padding), slots: count }];
    let node = |(name, attached): (&u8, &u32)| {
        let name = format!("n{name}");
        let node = NodeCapacity {
            name: name.clone(),
            attached_ips: *attached,
            pod_enis: attached / 9,
            free_slots: slots(*attached),
            ..NodeCapacity::default()
        };
        (name, Arc::new(node))
    };
    let subnet = |(name, free): (&u8, &u32)| {
        let id = format!("subnet-{name}");
        (id.clone(), Arc::new(SubnetCapacity { id, free_ips: *free, free_prefixes: free / 16 }))
    };
    FeedState {
        nodes: nodes.iter().map(node).collect(),
        subnets: nodes.iter().filter(|(name, _)| **name % 3 == 0).map(subnet).collect(),
        types: BTreeMap::new(),
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// The advisor sees this.
    Publish(BTreeMap<u8, u32>),
    /// The client takes so many messages, of which one is lost on the way, if it comes to that.
    Receive { messages: usize, lose: Option<usize> },
    /// The connection breaks.
    Reconnect,
    /// Another advisor takes over, or this one restarts.
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::btree_map(0..6u8, 0..4u32, 0..5).prop_map(Step::Publish),
        4 => (0..6usize, prop::option::of(0..4usize)).prop_map(|(messages, lose)| Step::Receive { messages, lose }),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Restart),
    ]
}

/// One connection, as the advisor's stream makes its messages.
struct Connection {
    epoch: String,
    generation: u64,
    whole: Vec<CapacityUpdate>,
}

impl Connection {
    fn open(assembler: &mut Assembler) -> Connection {
        let request = assembler.request("test");
        Connection { epoch: request.epoch, generation: request.generation, whole: Vec::new() }
    }

    fn next(&mut self, history: &History) -> Option<CapacityUpdate> {
        if self.whole.is_empty() {
            match history.since(&self.epoch, self.generation) {
                Since::Nothing | Since::Current(_) => return None,
                Since::Step(step) => {
                    self.generation = step.generation;
                    return Some((*step).clone());
                }
                Since::Whole { state, generation, observed_at } => {
                    self.whole = whole_messages(history.epoch(), state, generation, observed_at);
                    self.whole.reverse();
                    (self.epoch, self.generation) = (history.epoch().to_string(), generation);
                }
            }
        }
        self.whole.pop()
    }
}

struct Run {
    epochs: u32,
    history: History,
    connection: Connection,
    assembler: Assembler,
    picture: Picture,
    /// Every state that any advisor had.
    had: Vec<Picture>,
}

impl Run {
    fn new(steps: u32) -> Run {
        let mut assembler = Assembler::default();
        let connection = Connection::open(&mut assembler);
        let history = History::new("epoch-0", steps);
        Run { epochs: 1, history, connection, assembler, picture: Picture::default(), had: vec![Picture::default()] }
    }

    fn receive(&mut self, lose: bool) -> Result<bool, TestCaseError> {
        let Some(update) = self.connection.next(&self.history) else { return Ok(false) };
        if lose {
            return Ok(true);
        }
        match self.assembler.take(update) {
            Ok(Some(change)) => {
                self.picture.apply(change);
                prop_assert!(self.had.contains(&self.picture), "{:?} never was", self.picture);
            }
            Ok(None) => {}
            Err(_) => self.connection = Connection::open(&mut self.assembler),
        }
        Ok(true)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_client_ends_with_the_current_state_and_never_has_one_that_was_not(
        ring in 1..6u32,
        // Whole states then take up to three messages.
        padding in prop_oneof![3 => Just(10usize), 1 => Just(450_000usize)],
        steps in prop::collection::vec(any_step(), 1..30),
    ) {
        let mut run = Run::new(ring);
        let mut now = 0;
        for step in steps {
            match step {
                Step::Publish(nodes) => {
                    now += 1;
                    let state = state(&nodes, padding);
                    run.had.push(Picture::of(&state));
                    run.history.publish(state, Time::from_secs(now));
                }
                Step::Receive { messages, lose } => {
                    for message in 0..messages {
                        run.receive(lose == Some(message))?;
                    }
                }
                Step::Reconnect => run.connection = Connection::open(&mut run.assembler),
                Step::Restart => {
                    run.history = History::new(&format!("epoch-{}", run.epochs), ring);
                    run.epochs += 1;
                    run.connection = Connection::open(&mut run.assembler);
                }
            }
        }
        // The state of two messages later at the latest tells of one that was lost before.
        for last in [BTreeMap::from([(1, 1)]), BTreeMap::from([(0, 2), (3, 1)])] {
            let state = state(&last, padding);
            run.had.push(Picture::of(&state));
            run.history.publish(state.clone(), Time::from_secs(now + 1));
            while run.receive(false)? {}
        }
        prop_assert_eq!(&run.picture, run.had.last().unwrap());
    }
}
