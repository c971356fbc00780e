//! What an answer to Cluster Autoscaler costs: a request as large as it gets, from its bytes to the groups that are named, and the whole
//! call over TLS beside the transfer alone.

mod call;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::BytesMut;
use clap::Args;
use headroom_advisor::expander::{GroupRoom, Held, Landing, MOST_BYTES, Rooms, Rules, SubnetRoom, Units, decide, read};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::time::Time;
use headroom_proto::grpcplugin::{BestOptionsRequest, Option as Group};
use prost::Message;

use super::machine::Machine;

/// How large the request is.
#[derive(Clone, Copy, Debug, Args)]
pub struct Size {
    /// Pods that wait; each would fit in every group.
    #[arg(long, value_name = "N", default_value = "5000")]
    pods: u32,
    /// Groups.
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=1000))]
    groups: u32,
    /// Bytes of a pod.
    #[arg(long, value_name = "N", default_value = "400")]
    pod_bytes: u32,
    /// Answers, the first one not counted.
    #[arg(long, value_name = "N", default_value = "101", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    rounds: u32,
}

/// Milliseconds of each step, round by round.
#[derive(Debug, Default)]
struct Steps {
    decode: Vec<f64>,
    read: Vec<f64>,
    decide: Vec<f64>,
    all: Vec<f64>,
    call: Vec<f64>,
    transfer: Vec<f64>,
}

/// Measures and gives a table.
///
/// # Errors
/// When the message is larger than the advisor takes, or the advisor does not start or answer.
pub async fn measure(size: Size) -> Result<String> {
    let bytes = request(size).len();
    ensure!(
        bytes <= MOST_BYTES,
        "a message of {} MiB: the advisor takes 256; ask for fewer --pods, --groups or --pod-bytes",
        bytes >> 20
    );
    let mut steps = answers(size);
    (steps.call, steps.transfer) = call::calls(size).await?;
    Ok(table(size, bytes, steps))
}

fn answers(size: Size) -> Steps {
    let (bytes, rooms) = (request(size), rooms(size));
    let rules = Rules { spare_ips: 16, tolerance_percent: 50, can_veto: true };
    let mut steps = Steps::default();
    let mut held = Held::default();
    for round in 0..size.rounds {
        // As the listener has it: one buffer that the message is cut from.
        let mut buffer = BytesMut::from(&bytes[..]);
        let began = Instant::now();
        let request = BestOptionsRequest::decode(&mut buffer).expect("it was encoded here");
        let decoded = Instant::now();
        let asked = read(&request);
        let was_read = Instant::now();
        let now = Time::from_secs(u64::from(round));
        held.settle(&rooms, &asked, now, Duration::from_secs(300));
        let answer = decide(&rooms, &held.units(), &asked, &rules);
        held.promise(&answer, &asked, now);
        let decided = Instant::now();
        drop(request);
        if round > 0 {
            let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
            steps.decode.push(ms(began, decoded));
            steps.read.push(ms(decoded, was_read));
            steps.decide.push(ms(was_read, decided));
            steps.all.push(ms(began, decided));
        }
    }
    steps
}

fn table(size: Size, bytes: usize, steps: Steps) -> String {
    let Size { pods, groups, .. } = size;
    let mib = bytes >> 20;
    let mut text = format!("{pods} pods in {groups} groups, {mib} MiB, {}\n\n", Machine::this());
    text.push_str("| step | median ms | p99 ms | most ms |\n|---|---|---|---|\n");
    let rows = [
        ("decode", steps.decode),
        ("read", steps.read),
        ("decide", steps.decide),
        ("**all**", steps.all),
        ("the call over TLS, both ends here", steps.call),
        ("the same bytes over TLS to a server that only reads them", steps.transfer),
    ];
    for (step, mut values) in rows {
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| values[(values.len() * percent).div_ceil(100).saturating_sub(1)];
        writeln!(text, "| {step} | {:.1} | {:.1} | {:.1} |", at(50), at(99), at(100)).expect("a string takes any text");
    }
    text
}

#[derive(Clone, Message)]
struct Object {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "2")]
    spec: Option<PodSpec>,
}

#[derive(Clone, Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "3")]
    namespace: String,
    #[prost(string, tag = "5")]
    uid: String,
    #[prost(btree_map = "string, string", tag = "11")]
    labels: BTreeMap<String, String>,
}

#[derive(Clone, Message)]
struct PodSpec {
    #[prost(bytes = "vec", repeated, tag = "2")]
    containers: Vec<Vec<u8>>,
    #[prost(bool, optional, tag = "11")]
    host_network: Option<bool>,
}

fn pod(number: u32, bytes: u32) -> Vec<u8> {
    let metadata = Metadata {
        name: format!("web-{number}"),
        namespace: "default".to_owned(),
        uid: format!("{number:08x}-0000-4000-8000-0123456789ab"),
        labels: BTreeMap::new(),
    };
    let padding = vec![b'x'; usize::try_from(bytes.saturating_sub(90)).unwrap_or_default()];
    let spec = PodSpec { containers: vec![padding], host_network: Some(false) };
    Object { metadata: Some(metadata), spec: Some(spec) }.encode_to_vec()
}

/// As Cluster Autoscaler 1.36 sends it.
fn request(size: Size) -> Vec<u8> {
    let pods: Vec<Vec<u8>> = (0..size.pods).map(|number| pod(number, size.pod_bytes)).collect();
    let labels = [("node.kubernetes.io/instance-type".to_owned(), "m5.large".to_owned())].into();
    let metadata = Metadata { labels, ..Metadata::default() };
    let node = Object { metadata: Some(metadata), spec: None }.encode_to_vec();
    let group = |at: u32| {
        let option = Group {
            node_group_id: format!("eks-workers-{at}"),
            node_count: i32::try_from(size.pods / 20 + 1).unwrap_or(i32::MAX),
            debug: String::new(),
            pod: Vec::new(),
            pod_bytes: pods.clone(),
        };
        option.encode_to_vec().into()
    };
    BestOptionsRequest {
        options: (0..size.groups).map(group).collect(),
        node_map: HashMap::new(),
        node_bytes_map: (0..size.groups).map(|at| (format!("eks-workers-{at}"), node.clone())).collect(),
    }
    .encode_to_vec()
}

/// A subnet for each group, a third of them too small.
fn rooms(size: Size) -> Rooms {
    let subnet = |at: u32| SubnetId::from(format!("subnet-{at}"));
    let room = |at: u32| {
        let ips = if at.is_multiple_of(3) { 50 } else { 60_000 };
        (subnet(at), SubnetRoom { free: Units { ips, prefixes: ips / 16 }, exhausted_in_secs: None })
    };
    let group = |at: u32| {
        let landing = Landing {
            subnet: subnet(at),
            az: "us-west-2a".into(),
            excluded: false,
            new_eni: vec![subnet(at)],
            in_books: Vec::new(),
        };
        (Arc::from(format!("eks-workers-{at}")), GroupRoom { landings: vec![landing], ..GroupRoom::default() })
    };
    Rooms {
        subnets: (0..size.groups).map(room).collect(),
        groups: (0..size.groups).map(group).collect(),
        ..Rooms::default()
    }
}
