//! ipamd's EC2 calls: what they do to the VPC, and when the answer is there.

use std::ops::Range;
use std::time::Duration;

use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::ipamd::{Call, Ec2Error, NewEni, Reply, SubnetInfo};
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;

use crate::aws::{self, Admission, ApiError, Eni, InstanceId, Service, Tags, Vpc, latency};
use crate::node::metrics::operation;
use crate::node::timestamp;

/// Answers come within these parts of the usual time: attaching scatters most.
const JITTER: Range<f64> = 0.8..1.3;
const JITTER_ATTACH: Range<f64> = 1.0..2.0;
/// When ipamd gives up a request that is never answered.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// What a call leads to.
#[derive(Debug)]
pub(super) enum Step {
    /// The answer.
    Reply(Reply),
    /// The ENI exists and is attached now.
    Attach(EniId),
    /// The ENI's metadata is visible on the instance now.
    Attached(EniId),
    /// The ENI is detached and is deleted now.
    Delete(EniId),
}

/// The one who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) instance: InstanceId,
    pub(super) az: String,
    pub(super) cluster: Option<String>,
    pub(super) security_groups: Vec<String>,
}

/// Time and randomness of one call.
pub(super) struct Cx<'a> {
    pub(super) now: Time,
    pub(super) random: &'a mut dyn FnMut() -> f64,
}

impl Cx<'_> {
    fn later(&mut self, usual: Duration, jitter: Range<f64>) -> Duration {
        usual.mul_f64(jitter.start + (jitter.end - jitter.start) * (self.random)())
    }
}

/// Starts `call`: its first step is due after the time given. It shares the account's token buckets and faults.
pub(super) fn start(vpc: &mut Vpc, caller: &Caller, call: Call, cx: &mut Cx<'_>) -> (Duration, Step) {
    let refused = |code: &str| Step::Reply(Reply::Failed(Ec2Error::Other(code.to_owned())));
    match vpc.admit(Service::Ec2, operation(&call), cx.now) {
        Admission::Go(delay) => {
            let (time, step) = execute(vpc, caller, call, cx);
            (time + delay, step)
        }
        Admission::Refuse(error) => (cx.later(latency::DESCRIBE, JITTER), refused(error.code)),
        Admission::Drop => (CLIENT_TIMEOUT, refused("RequestTimeout")),
        Admission::LoseAnswer => {
            execute(vpc, caller, call, cx);
            (CLIENT_TIMEOUT, refused("RequestTimeout"))
        }
    }
}

fn execute(vpc: &mut Vpc, caller: &Caller, call: Call, cx: &mut Cx<'_>) -> (Duration, Step) {
    let now = cx.now;
    let (usual, result) = match call {
        Call::DescribeSubnets => (latency::DESCRIBE, Ok(Step::Reply(Reply::Subnets(subnets(vpc, &caller.az, now))))),
        Call::AssignIps { eni, count } => {
            let blocks = vpc.assign_private_ips(&eni, count.get(), now);
            let blocks = blocks.map(|ips| ips.into_iter().map(Cidr::single).collect());
            (latency::ASSIGN, blocks.map(|blocks| Step::Reply(Reply::Assigned(blocks))))
        }
        Call::AssignPrefixes { eni, count } => {
            let blocks = vpc.assign_prefixes(&eni, count.get(), now);
            (latency::ASSIGN, blocks.map(|blocks| Step::Reply(Reply::Assigned(blocks))))
        }
        Call::Unassign { eni, blocks } => {
            (latency::ASSIGN, vpc.unassign(&eni, &blocks, now).map(|()| Step::Reply(Reply::Done)))
        }
        Call::CreateEni { subnet, ips, prefixes } => {
            let new = new_eni(caller, subnet, ips.get(), prefixes.get(), now);
            (latency::CREATE_ENI, vpc.create_eni(new, now).map(|eni| Step::Attach(eni.id)))
        }
        Call::FreeEni { eni } => {
            let detached = vpc.detach_eni(&eni, now);
            (latency::FREE_ENI, detached.map(|()| Step::Delete(eni)))
        }
    };
    let step = result.unwrap_or_else(|error| Step::Reply(Reply::Failed(ec2_error(&error))));
    (cx.later(usual, JITTER), step)
}

/// Goes on with a chain of calls: the next step and when it is due, or the answer.
pub(super) fn go_on(vpc: &mut Vpc, caller: &Caller, step: Step, cx: &mut Cx<'_>) -> Result<(Duration, Step), Reply> {
    let refused = |error: ApiError| Reply::Failed(ec2_error(&error));
    match step {
        Step::Reply(reply) => Err(reply),
        Step::Attach(eni) => {
            let index = free_device_index(vpc, &caller.instance);
            if let Err(error) = vpc.attach_eni(&eni, &caller.instance, index, cx.now) {
                vpc.remove_eni(&eni, cx.now);
                return Err(refused(error));
            }
            Ok((cx.later(latency::ATTACH_ENI, JITTER_ATTACH), Step::Attached(eni)))
        }
        Step::Attached(eni) => {
            let kept = vpc.set_delete_on_termination(&eni, true);
            let shown = kept.and_then(|()| vpc.eni(&eni).map(as_ipamd_sees));
            Err(shown.map_or_else(refused, Reply::Created))
        }
        Step::Delete(eni) => Err(vpc.delete_eni(&eni, cx.now).map_or_else(refused, |()| Reply::Done)),
    }
}

/// DescribeSubnets with ipamd's filters.
pub(super) fn subnets(vpc: &Vpc, az: &str, now: Time) -> Vec<SubnetInfo> {
    let views = vpc.describe_subnets_in(az, now).into_iter();
    views
        .map(|view| SubnetInfo {
            id: view.id,
            available_ips: view.available_ips,
            tags: view.tags.into_iter().collect(),
        })
        .collect()
}

/// An attached ENI as the instance's metadata shows it.
pub(super) fn as_ipamd_sees(eni: &Eni) -> NewEni {
    NewEni {
        id: eni.id.clone(),
        subnet: eni.subnet.clone(),
        device_index: eni.attachment.as_ref().map_or(0, |attachment| attachment.device_index),
        blocks: eni.blocks().into_iter().skip(1).collect(),
        trunk: eni.interface_type == "trunk",
    }
}

/// The lowest device index that no ENI of the instance has.
pub(super) fn free_device_index(vpc: &Vpc, instance: &InstanceId) -> u32 {
    let attachments = vpc.enis_of(instance).filter_map(|eni| eni.attachment.as_ref());
    let used: Vec<u32> = attachments.map(|attachment| attachment.device_index).collect();
    (0..).find(|index| !used.contains(index)).unwrap_or(u32::MAX)
}

/// Description and tags are how an ENI of ipamd is known, and how a leaked one is found (CNI `pkg/awsutils`, createENITags).
fn new_eni(caller: &Caller, subnet: SubnetId, ips: u32, prefixes: u32, now: Time) -> aws::NewEni {
    let mut tags = Tags::from([
        ("node.k8s.amazonaws.com/instance_id".to_owned(), caller.instance.to_string()),
        ("node.k8s.amazonaws.com/createdAt".to_owned(), timestamp(now)),
    ]);
    if let Some(cluster) = &caller.cluster {
        tags.insert("cluster.k8s.amazonaws.com/name".to_owned(), cluster.clone());
        tags.insert("eks:eni:owner".to_owned(), "amazon-vpc-cni".to_owned());
    }
    aws::NewEni {
        secondary_ips: ips,
        prefixes,
        description: format!("aws-K8S-{}", caller.instance),
        groups: caller.security_groups.clone(),
        tags,
        ..aws::NewEni::in_subnet(subnet)
    }
}

fn ec2_error(error: &ApiError) -> Ec2Error {
    match error.code {
        "InsufficientFreeAddressesInSubnet" => Ec2Error::InsufficientFreeAddressesInSubnet,
        "InsufficientCidrBlocks" => Ec2Error::InsufficientCidrBlocks,
        code => Ec2Error::Other(code.to_owned()),
    }
}

/// The VPC resource controller's trunk ENI on an instance.
pub(super) fn attach_trunk(vpc: &mut Vpc, instance: &InstanceId, now: Time) -> Result<(), ApiError> {
    let subnet = vpc.instance(instance)?.subnet.clone();
    let new = aws::NewEni {
        interface_type: "trunk",
        description: "aws-k8s-trunk-eni".to_owned(),
        tags: Tags::from([("eks:eni:owner".to_owned(), "eks-vpc-resource-controller".to_owned())]),
        ..aws::NewEni::in_subnet(subnet)
    };
    let eni = vpc.create_eni(new, now)?.id;
    let index = free_device_index(vpc, instance);
    let attached = vpc.attach_eni(&eni, instance, index, now).and_then(|_| vpc.set_delete_on_termination(&eni, true));
    attached.inspect_err(|_| vpc.remove_eni(&eni, now))
}
