//! EC2.

mod eni;
mod instance;
mod network;
mod show;
mod subnet;
mod types;

use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::time::Time;

use super::params::Params;
use super::query::Operation;
use super::xml::Map;
use crate::aws::{ApiError, InstanceId, Vpc};

type Answer = Result<Option<Map>, ApiError>;

pub(super) fn operation(name: &str) -> Option<Operation> {
    let operation: Operation = match name {
        "AssignPrivateIpAddresses" => eni::assign,
        "AttachNetworkInterface" => eni::attach,
        "CreateNetworkInterface" => eni::create,
        "CreateSubnetCidrReservation" => subnet::create_reservation,
        "CreateTags" => create_tags,
        "DeleteNetworkInterface" => eni::delete,
        "DescribeInstanceTypes" => types::describe,
        "DescribeInstances" => instance::describe,
        "DescribeNetworkInterfaces" => eni::describe,
        "DescribeSecurityGroups" => network::describe_security_groups,
        "DescribeSubnets" => subnet::describe,
        "DescribeVpcEndpoints" => network::describe_endpoints,
        "DescribeVpcs" => network::describe_vpcs,
        "DetachNetworkInterface" => eni::detach,
        "GetSubnetCidrReservations" => subnet::reservations,
        "ModifyNetworkInterfaceAttribute" => eni::modify,
        "RunInstances" => instance::run,
        "TerminateInstances" => instance::terminate,
        "UnassignPrivateIpAddresses" => eni::unassign,
        _ => return None,
    };
    Some(operation)
}

fn create_tags(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    params.need("ResourceId.1")?;
    vpc.create_tags(&params.list("ResourceId"), &params.tags("Tag"))?;
    Ok(None)
}

fn eni_id(params: &Params) -> Result<EniId, ApiError> {
    params.need("NetworkInterfaceId").map(EniId::from)
}

fn subnet_id(params: &Params) -> Result<SubnetId, ApiError> {
    params.need("SubnetId").map(SubnetId::from)
}

fn instance_ids(params: &Params) -> Vec<InstanceId> {
    params.list("InstanceId").into_iter().map(InstanceId::from).collect()
}
