//! The VPC, its endpoints and security groups.

use headroom_capacity::time::Time;

use super::Answer;
use super::show::{groups, strings};
use crate::aws::http::filter::{self, Values, one};
use crate::aws::http::page::{EC2, page};
use crate::aws::http::params::Params;
use crate::aws::http::xml::{Map, Xml, items, tag_set};
use crate::aws::{ApiError, Endpoint, SecurityGroup, Tags, Vpc};

pub(super) fn describe_vpcs(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    if let Some(stranger) = params.list("VpcId").into_iter().find(|id| *id != vpc.id()) {
        let message = format!("The vpc ID '{stranger}' does not exist");
        return Err(ApiError::new("InvalidVpcID.NotFound", message));
    }
    let value = |name: &str| match name {
        "vpc-id" => one(vpc.id()),
        "cidr" | "cidr-block" => one(vpc.config().cidrs[0]),
        "state" => one("available"),
        "owner-id" => one(&vpc.config().account),
        _ => filter::tag_values(&Tags::new(), name),
    };
    let shown = filter::matches(&filter::ec2(params)?, value)?.then(|| show_vpc(vpc));
    Ok(Some(Map::new().put("vpcSet", items(shown))))
}

fn show_vpc(vpc: &Vpc) -> Map {
    let config = vpc.config();
    let associations = config.cidrs.iter().enumerate().map(|(index, cidr)| {
        Map::new()
            .text("associationId", format!("vpc-cidr-assoc-{index:017x}"))
            .text("cidrBlock", cidr)
            .put("cidrBlockState", Map::new().text("state", "associated"))
    });
    Map::new()
        .text("vpcId", vpc.id())
        .text("ownerId", &config.account)
        .text("state", "available")
        .text("cidrBlock", config.cidrs[0])
        .text("dhcpOptionsId", "dopt-00000000000000000")
        .text("instanceTenancy", "default")
        .text("isDefault", false)
        .put("cidrBlockAssociationSet", items(associations))
        .put("ipv6CidrBlockAssociationSet", items::<Xml>([]))
        .put("tagSet", tag_set(&Tags::new()))
}

pub(super) fn describe_endpoints(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let ids = params.list("VpcEndpointId");
    let filters = filter::ec2(params)?;
    let mut found = Vec::new();
    for endpoint in vpc.endpoints.iter().filter(|one| ids.is_empty() || ids.contains(&one.id.as_str())) {
        if filter::matches(&filters, |name| endpoint_value(vpc, endpoint, name))? {
            found.push(endpoint);
        }
    }
    found.sort_by_key(|endpoint| &endpoint.id);
    let (endpoints, next) = page(params, &EC2, found, |endpoint| endpoint.id.clone())?;
    let set = items(endpoints.into_iter().map(|endpoint| show_endpoint(vpc, endpoint, now)));
    Ok(Some(Map::new().put("vpcEndpointSet", set).maybe("nextToken", next)))
}

fn endpoint_value(vpc: &Vpc, endpoint: &Endpoint, name: &str) -> Values {
    match name {
        "vpc-endpoint-id" => one(&endpoint.id),
        "vpc-endpoint-type" => one("Interface"),
        "vpc-endpoint-state" => one("available"),
        "vpc-id" => one(vpc.id()),
        "service-name" => one(&endpoint.service),
        _ => filter::tag_values(&Tags::new(), name),
    }
}

fn show_endpoint(vpc: &Vpc, endpoint: &Endpoint, now: Time) -> Map {
    let service = endpoint.service.rsplit('.').next().unwrap_or_default();
    let dns = format!("{service}.{}.amazonaws.com", vpc.config().region);
    let group = vpc.default_group().id.clone();
    Map::new()
        .text("vpcEndpointId", &endpoint.id)
        .text("vpcEndpointType", "Interface")
        .text("vpcId", vpc.id())
        .text("serviceName", &endpoint.service)
        .text("state", "available")
        .text("privateDnsEnabled", endpoint.private_dns)
        .text("requesterManaged", false)
        .text("ownerId", &vpc.config().account)
        .text("creationTimestamp", crate::aws::stamp(endpoint.created_at.min(now)))
        .put("subnetIdSet", strings(&endpoint.subnets))
        .put("networkInterfaceIdSet", strings(&endpoint.enis))
        .put("groupSet", groups(vpc, &[group]))
        .put("routeTableIdSet", items::<Xml>([]))
        .put("dnsEntrySet", items([Map::new().text("dnsName", dns).text("hostedZoneId", "Z00000000000000000000")]))
        .put("tagSet", tag_set(&Tags::new()))
}

pub(super) fn describe_security_groups(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    let ids = params.list("GroupId");
    let known = |id: &&str| vpc.security_groups.iter().any(|group| group.id == **id);
    if let Some(stranger) = ids.iter().find(|id| !known(id)) {
        let message = format!("The security group '{stranger}' does not exist");
        return Err(ApiError::new("InvalidGroup.NotFound", message));
    }
    let filters = filter::ec2(params)?;
    let mut found = Vec::new();
    for group in vpc.security_groups.iter().filter(|group| ids.is_empty() || ids.contains(&group.id.as_str())) {
        if filter::matches(&filters, |name| group_value(vpc, group, name))? {
            found.push(group);
        }
    }
    found.sort_by_key(|group| &group.id);
    let (found, next) = page(params, &EC2, found, |group| group.id.clone())?;
    let set = items(found.into_iter().map(|group| show_group(vpc, group)));
    Ok(Some(Map::new().put("securityGroupInfo", set).maybe("nextToken", next)))
}

fn group_value(vpc: &Vpc, group: &SecurityGroup, name: &str) -> Values {
    match name {
        "group-id" => one(&group.id),
        "group-name" => one(&group.name),
        "description" => one(&group.description),
        "vpc-id" => one(vpc.id()),
        "owner-id" => one(&vpc.config().account),
        _ => filter::tag_values(&Tags::new(), name),
    }
}

fn show_group(vpc: &Vpc, group: &SecurityGroup) -> Map {
    let config = vpc.config();
    Map::new()
        .text("groupId", &group.id)
        .text("groupName", &group.name)
        .text("groupDescription", &group.description)
        .text("vpcId", vpc.id())
        .text("ownerId", &config.account)
        .text(
            "securityGroupArn",
            format!("arn:aws:ec2:{}:{}:security-group/{}", config.region, config.account, group.id),
        )
        .put("ipPermissions", items::<Xml>([]))
        .put("ipPermissionsEgress", items::<Xml>([]))
        .put("tagSet", tag_set(&Tags::new()))
}
