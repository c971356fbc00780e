//! HTTP answers what gRPC answers, for any pods, nodes and states, through the encoding and decoding of both.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use headroom_cluster::{ErrorClass, Event, Kind, Pod};
use headroom_proto::v1::extender_client::ExtenderClient;
use headroom_proto::v1::filter_response::Answer;
use headroom_proto::v1::{self, FilterRequest, PrioritizeRequest, SchedulingFailure};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::router;
use crate::config::{Config, OnUnknown, Policy};
use crate::core::{Clock, Core};
use crate::fixtures::{World, node, pod, running, waiting};
use crate::http;

const TYPES: [&str; 5] = ["t3.nano", "t3.small", "c5.xlarge", "m5.large", "x9.unheard-of"];
const NODES: usize = 6;

fn name(at: usize) -> String {
    format!("ip-10-0-0-{at}.eu-west-1.compute.internal")
}

/// A cluster: what a writer would have published.
#[derive(Clone, Debug)]
struct State {
    config: Config,
    ready: bool,
    failing: bool,
    /// Type and whether it is cordoned, of `name(0..)`.
    nodes: Vec<(usize, bool)>,
    /// Node and what the pod there does: runs, waits, waits refused by the CNI, is nominated.
    pods: Vec<(usize, u8)>,
}

fn state() -> impl Strategy<Value = State> {
    let choice = || prop_oneof![Just(OnUnknown::Pass), Just(OnUnknown::Reject)];
    let config = (any::<bool>(), choice(), choice(), choice(), 1..5_u32, 1..5_u32);
    let config = config.prop_map(|(now, node, capacity, stale, max_nodes, pods_in_flight)| {
        let mut config = Config { policy: if now { Policy::Now } else { Policy::Soon }, ..Config::default() };
        config.failure.on_unknown_node = node;
        config.failure.on_unknown_capacity = capacity;
        config.failure.on_stale_state = stale;
        config.answer.max_nodes = max_nodes;
        config.answer.pods_in_flight = pods_in_flight;
        config
    });
    let nodes = prop::collection::vec((0..TYPES.len(), prop::bool::weighted(0.1)), 0..NODES);
    let pods = prop::collection::vec((0..NODES, 0..4_u8), 0..16);
    (config, prop::bool::weighted(0.9), prop::bool::weighted(0.2), nodes, pods)
        .prop_map(|(config, ready, failing, nodes, pods)| State { config, ready, failing, nodes, pods })
}

impl State {
    fn core(&self) -> Arc<Core> {
        let core = Arc::new(Core::new(self.config.clone()));
        if !self.ready {
            return core;
        }
        let mut world = World::with(&[]);
        for (at, (kind, unschedulable)) in self.nodes.iter().enumerate() {
            let mut node = node(&name(at), TYPES[*kind]);
            node.unschedulable = *unschedulable;
            world.node(node);
        }
        for (at, (node, what)) in self.pods.iter().enumerate() {
            let (uid, node) = (format!("old-{at}"), name(*node));
            match what {
                0 => world.pod(running(&uid, &node)),
                1 => world.pod(waiting(&uid, &node)),
                2 => {
                    world.pod(waiting(&uid, &node));
                    world.no_ip(&uid);
                }
                _ => world.pod(Pod { nominated_node: Some(node.as_str().into()), ..pod(&uid) }),
            }
        }
        if self.failing {
            let error = "connection refused".into();
            world.apply(Event::WatchFailed { kind: Kind::Pod, class: ErrorClass::Stream, error });
        }
        core.publish(world.snapshot(), &world.index.take_outcomes(), world.now);
        core
    }
}

/// A call: what of the pod decides, and which nodes are named.
#[derive(Clone, Debug)]
struct Call {
    prioritize: bool,
    pod: v1::Pod,
    names: Vec<String>,
}

fn call() -> impl Strategy<Value = Call> {
    let resource = prop_oneof![
        4 => Just("cpu".to_owned()),
        1 => Just("vpc.amazonaws.com/pod-eni".to_owned()),
        1 => Just("vpc.amazonaws.com/PrivateIPv4Address".to_owned()),
    ];
    let failure = prop::option::of(("[A-Z]{0,4}", ".{0,8}"));
    let uid = prop_oneof![9 => "u[0-3]", 1 => Just(String::new())];
    let pod = (uid, "[a-z\"<é]{0,5}", any::<i32>(), any::<u64>(), prop::bool::weighted(0.1));
    let pod = (pod, prop::collection::vec(resource, 0..3), failure);
    let pod = pod.prop_map(|((uid, name, priority, resource_version, host_network), resource_names, failure)| {
        let last_failure = failure.map(|(reason, message)| SchedulingFailure { reason, message });
        let namespace = "default".to_owned();
        v1::Pod { uid, namespace, name, resource_version, priority, host_network, resource_names, last_failure }
    });
    // One more than there are: a node that was not seen.
    let names = prop::sample::subsequence((0..=NODES).map(name).collect::<Vec<_>>(), 0..=NODES + 1).prop_shuffle();
    // Often enough to count as sampled: kube-scheduler never repeats a name, and nothing minds.
    let times = prop_oneof![3 => Just(1), 1 => Just(100)];
    (any::<bool>(), pod, names, times).prop_map(|(prioritize, pod, names, times)| Call {
        prioritize,
        pod,
        names: vec![names; times].concat(),
    })
}

/// What either wire says.
#[derive(Debug, PartialEq)]
enum Said {
    Passed(Vec<String>),
    Rejected(Vec<(String, String)>),
    Scores(Vec<(String, u32)>),
    Error(String),
}

impl Call {
    /// As kube-scheduler writes it.
    fn json(&self) -> String {
        let v1::Pod { uid, namespace, name, resource_version, priority, host_network, resource_names, last_failure } =
            &self.pod;
        let requests: serde_json::Map<String, Value> =
            resource_names.iter().map(|name| (name.clone(), json!("1"))).collect();
        let conditions = last_failure.as_ref().map(|SchedulingFailure { reason, message }| {
            json!([{"type": "PodScheduled", "status": "False", "reason": reason, "message": message}])
        });
        json!({
            "Pod": {
                "metadata": {
                    "uid": uid, "namespace": namespace, "name": name, "resourceVersion": resource_version.to_string(),
                },
                "spec": {
                    "hostNetwork": host_network,
                    "priority": priority,
                    "containers": [{"resources": {"requests": requests}}],
                },
                "status": {"conditions": conditions},
            },
            "Nodes": null,
            "NodeNames": self.names,
        })
        .to_string()
    }

    async fn over_http(&self, router: Router) -> Said {
        let verb = if self.prioritize { "prioritize" } else { "filter" };
        let request = Request::post(format!("/v1/{verb}")).body(Body::from(self.json())).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let reply: Value = serde_json::from_slice(&body).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        if self.prioritize {
            let score =
                |entry: &Value| (text(&entry["Host"]), u32::try_from(entry["Score"].as_u64().unwrap()).unwrap());
            return Said::Scores(reply.as_array().unwrap().iter().map(score).collect());
        }
        let error = text(&reply["Error"]);
        if !error.is_empty() {
            return Said::Error(error);
        }
        // serde_json sorts the keys of a map; gRPC keeps the order of the request.
        let rejected = reply["FailedAndUnresolvableNodes"].as_object().unwrap();
        if !rejected.is_empty() {
            return Said::Rejected(rejected.iter().map(|(name, reason)| (name.clone(), text(reason))).collect());
        }
        Said::Passed(reply["NodeNames"].as_array().unwrap().iter().map(text).collect())
    }

    async fn over_grpc(&self, router: Router) -> Said {
        let mut client = ExtenderClient::new(router);
        let (pod, node_names) = (Some(self.pod.clone()), self.names.clone());
        if self.prioritize {
            return match client.prioritize(PrioritizeRequest { pod, node_names }).await {
                Ok(reply) => Said::Scores(
                    reply.into_inner().scores.into_iter().map(|score| (score.node_name, score.score)).collect(),
                ),
                // The reply of HTTP has no place for it.
                Err(_) => Said::Scores(Vec::new()),
            };
        }
        match client.filter(FilterRequest { pod, node_names }).await {
            Err(status) => Said::Error(status.message().to_owned()),
            Ok(reply) => match reply.into_inner().answer.unwrap() {
                Answer::Passed(passed) => Said::Passed(passed.node_names),
                Answer::Rejected(rejected) => {
                    let nodes = rejected.nodes.into_iter().map(|node| (node.node_name, node.message));
                    let mut nodes: Vec<_> = nodes.collect();
                    nodes.sort_unstable();
                    Said::Rejected(nodes)
                }
            },
        }
    }
}

proptest! {
    /// Calls follow each other on one state, so that claims and waiting pods are the same too.
    #[test]
    fn http_and_grpc_give_the_same_answers(state in state(), calls in prop::collection::vec(call(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (one, other) = (state.core(), state.core());
        let (http, grpc) = (http::extender(Arc::clone(&one), Clock::start()), runtime.block_on(router(&other)));
        for call in &calls {
            let said = runtime.block_on(call.over_http(http.clone()));
            prop_assert_eq!(&said, &runtime.block_on(call.over_grpc(grpc.clone())), "{:?}", call);
        }
        let counts = |core: &Core| {
            let text = core.metrics_text().unwrap();
            let counted = text.lines().filter(|line| !line.contains("duration") && !line.ends_with(" 0"));
            counted.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(counts(&one), counts(&other));
    }
}
