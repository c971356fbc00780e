//! What `doctor join` reads of EC2 and IAM, straight as the doctor's facts.

use std::collections::BTreeMap;

use headroom_capacity::time::Time;
use headroom_doctor::join::{Image, Machine, Route, Rule, SecurityGroup};

use super::instance::each_instance;
use super::{Listing, date, each_tag, flag, need};
use crate::aws::xml::{Malformed, Xml};

/// What the keys of the tags begin with that are kept.
pub(in crate::aws) const CLUSTER_TAGS: &str = "kubernetes.io/cluster/";

/// Reads a page of `DescribeInstances`.
pub(in crate::aws) fn machines(body: &[u8], now: Time) -> Listing<Machine> {
    each_instance(body, |xml| machine(xml, now))
}

fn machine(xml: &mut Xml<'_>, now: Time) -> Result<Machine, Malformed> {
    let (mut state, mut launched, mut image) = (None, None, None);
    let mut machine = Machine {
        state: String::new(),
        age_secs: 0,
        vpc: None,
        subnet: None,
        private_ip: None,
        public_ip: None,
        security_groups: Vec::new(),
        profile: None,
        image: String::new(),
        cluster_tags: BTreeMap::new(),
        // EC2 says it of every instance; another API may not.
        metadata: true,
    };
    xml.each(|xml, element| {
        match element {
            "instanceState" => state = child(xml, "name")?,
            "launchTime" => launched = date(&xml.text()?),
            "imageId" => image = xml.some_text()?,
            "vpcId" => machine.vpc = xml.some_text()?,
            "subnetId" => machine.subnet = xml.some_text()?,
            "privateIpAddress" => machine.private_ip = address(xml, "privateIpAddress")?,
            "ipAddress" => machine.public_ip = address(xml, "ipAddress")?,
            "iamInstanceProfile" => machine.profile = child(xml, "arn")?,
            "groupSet" => machine.security_groups = children(xml, "groupId")?,
            "metadataOptions" => machine.metadata = child(xml, "httpEndpoint")?.as_deref() != Some("disabled"),
            "tagSet" => each_tag(xml, |key, value| {
                if key.starts_with(CLUSTER_TAGS) {
                    machine.cluster_tags.insert(key.to_owned(), value.into_owned());
                }
                Ok(())
            })?,
            "networkInterfaceSet" => xml.skip_to("</networkInterfaceSet>")?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    machine.state = need(state, "instanceState.name")?;
    machine.image = need(image, "imageId")?;
    machine.age_secs = now.since(need(launched, "launchTime")?).as_secs();
    Ok(machine)
}

fn address<T: std::str::FromStr>(xml: &mut Xml<'_>, name: &'static str) -> Result<Option<T>, Malformed> {
    let Some(text) = xml.some_text()? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Malformed::Value { name, text })
}

/// The text of a child, and the element left.
fn child(xml: &mut Xml<'_>, name: &str) -> Result<Option<String>, Malformed> {
    let mut text = None;
    xml.each(|xml, element| {
        if element == name {
            text = xml.some_text()?;
            return Ok(());
        }
        xml.skip()
    })?;
    Ok(text)
}

/// The text of that child of each item, and the list left.
fn children(xml: &mut Xml<'_>, name: &str) -> Result<Vec<String>, Malformed> {
    Ok(xml.list(|xml| child(xml, name))?.into_iter().flatten().collect())
}

/// Reads `DescribeInstanceAttribute` of `userData`: base64; empty where there is none.
pub(in crate::aws) fn user_data(body: &[u8]) -> Result<String, Malformed> {
    let mut data = None;
    Xml::root(body, |xml| {
        xml.each(|xml, element| match element {
            "userData" => {
                data = Some(child(xml, "value")?.unwrap_or_default());
                Ok(())
            }
            _ => xml.skip(),
        })
    })?;
    need(data, "userData")
}

/// Reads one attribute of `DescribeVpcAttribute`.
pub(in crate::aws) fn vpc_attribute(body: &[u8], attribute: &'static str) -> Result<bool, Malformed> {
    let mut value = None;
    Xml::root(body, |xml| {
        xml.each(|xml, element| {
            if element != attribute {
                return xml.skip();
            }
            xml.each(|xml, element| match element {
                "value" => {
                    value = Some(flag(xml, attribute)?);
                    Ok(())
                }
                _ => xml.skip(),
            })
        })
    })?;
    need(value, attribute)
}

/// Reads a page of `DescribeImages`.
pub(in crate::aws) fn images(body: &[u8]) -> Listing<Image> {
    Xml::page(body, "imagesSet", |xml| {
        let (mut id, mut name) = (None, None);
        xml.each(|xml, element| {
            match element {
                "imageId" => id = xml.some_text()?,
                "name" => name = xml.some_text()?,
                _ => xml.skip()?,
            }
            Ok(())
        })?;
        Ok(Some(Image { id: need(id, "imageId")?, name: name.unwrap_or_default() }))
    })
}

/// Reads a page of `DescribeSecurityGroups` with the rules.
pub(in crate::aws) fn group_rules(body: &[u8]) -> Listing<SecurityGroup> {
    Xml::page(body, "securityGroupInfo", |xml| {
        let (mut id, mut ingress, mut egress) = (None, Vec::new(), Vec::new());
        xml.each(|xml, element| {
            match element {
                "groupId" => id = xml.some_text()?,
                "ipPermissions" => ingress = xml.list(rule)?,
                "ipPermissionsEgress" => egress = xml.list(rule)?,
                _ => xml.skip()?,
            }
            Ok(())
        })?;
        Ok(Some(SecurityGroup { id: need(id, "groupId")?, ingress, egress }))
    })
}

fn rule(xml: &mut Xml<'_>) -> Result<Rule, Malformed> {
    let (mut protocol, mut from, mut to) = (None, None, None);
    let (mut cidrs, mut groups, mut prefix_lists) = (Vec::new(), Vec::new(), Vec::new());
    xml.each(|xml, element| {
        match element {
            "ipProtocol" => protocol = xml.some_text()?,
            // ICMP has types there, -1 for all of them.
            "fromPort" => from = u16::try_from(xml.value::<i32>("fromPort")?).ok(),
            "toPort" => to = u16::try_from(xml.value::<i32>("toPort")?).ok(),
            "ipRanges" => cidrs = children(xml, "cidrIp")?,
            "groups" => groups = children(xml, "groupId")?,
            "prefixListIds" => prefix_lists = children(xml, "prefixListId")?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    Ok(Rule { protocol: need(protocol, "ipProtocol")?, ports: from.zip(to), cidrs, groups, prefix_lists })
}

/// Reads a page of `DescribeRouteTables`: the default route of each.
pub(in crate::aws) fn default_routes(body: &[u8]) -> Listing<Option<Route>> {
    Xml::page(body, "routeTableSet", |xml| {
        let mut routes = Vec::new();
        xml.each(|xml, element| {
            match element {
                "routeSet" => routes = xml.list(default_route)?,
                _ => xml.skip()?,
            }
            Ok(())
        })?;
        Ok(Some(routes.into_iter().flatten().next()))
    })
}

fn default_route(xml: &mut Xml<'_>) -> Result<Option<Route>, Malformed> {
    let (mut to_all, mut target, mut blackhole) = (false, None, false);
    xml.each(|xml, element| {
        match element {
            "destinationCidrBlock" => to_all = xml.text()? == "0.0.0.0/0",
            "state" => blackhole = xml.text()? == "blackhole",
            // A route by an instance has its ENI too, and either will do.
            "gatewayId"
            | "natGatewayId"
            | "transitGatewayId"
            | "vpcPeeringConnectionId"
            | "networkInterfaceId"
            | "localGatewayId"
            | "carrierGatewayId"
            | "coreNetworkArn" => {
                target = target.take().or(xml.some_text()?);
            }
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    Ok(to_all.then(|| Route { target: target.unwrap_or_else(|| "an unknown target".to_owned()), blackhole }))
}

/// Reads IAM's `GetInstanceProfile`: the ARN of its role.
pub(in crate::aws) fn profile_role(body: &[u8]) -> Result<Option<String>, Malformed> {
    let mut profile = None;
    Xml::root(body, |xml| {
        xml.each(|xml, element| match element {
            "GetInstanceProfileResult" => xml.each(|xml, element| match element {
                "InstanceProfile" => {
                    profile = Some(roles(xml)?);
                    Ok(())
                }
                _ => xml.skip(),
            }),
            _ => xml.skip(),
        })
    })?;
    // A profile has one role at most (IAM user guide, "Use instance profiles").
    Ok(need(profile, "InstanceProfile")?.into_iter().next())
}

fn roles(xml: &mut Xml<'_>) -> Result<Vec<String>, Malformed> {
    let mut arns = Vec::new();
    xml.each(|xml, element| match element {
        "Roles" => xml.each(|xml, _| {
            arns.extend(child(xml, "Arn")?);
            Ok(())
        }),
        _ => xml.skip(),
    })?;
    Ok(arns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_cut_down_to_what_joining_depends_on() {
        let body = "<R><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><imageId>ami-1</imageId>
            <instanceState><code>16</code><name>running</name></instanceState><launchTime>2026-03-01T10:00:00.000Z</launchTime>
            <subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><privateIpAddress>10.0.1.20</privateIpAddress>
            <ipAddress>203.0.113.9</ipAddress><groupSet><item><groupId>sg-1</groupId><groupName>a</groupName></item></groupSet>
            <iamInstanceProfile><arn>arn:aws:iam::1:instance-profile/p</arn><id>AIPA</id></iamInstanceProfile>
            <tagSet><item><key>kubernetes.io/cluster/a</key><value>owned</value></item>
            <item><key>password</key><value>x</value></item></tagSet>
            <networkInterfaceSet><item><groupSet><item><groupId>sg-9</groupId></item></groupSet></item></networkInterfaceSet>
            <metadataOptions><state>applied</state><httpTokens>required</httpTokens><httpEndpoint>disabled</httpEndpoint></metadataOptions>
            </item></instancesSet></item></reservationSet></R>";
        let rows = machines(body.as_bytes(), Time::from_secs(1_772_359_260)).unwrap().rows;
        let machine = Machine {
            state: "running".to_owned(),
            age_secs: 60,
            vpc: Some("vpc-1".to_owned()),
            subnet: Some("subnet-1".to_owned()),
            private_ip: Some([10, 0, 1, 20].into()),
            public_ip: Some([203, 0, 113, 9].into()),
            security_groups: vec!["sg-1".to_owned()],
            profile: Some("arn:aws:iam::1:instance-profile/p".to_owned()),
            image: "ami-1".to_owned(),
            cluster_tags: [("kubernetes.io/cluster/a".to_owned(), "owned".to_owned())].into(),
            metadata: false,
        };
        assert_eq!(rows, [machine]);
    }

    #[test]
    fn rules_with_blocks_groups_and_prefix_lists() {
        let body = "<R><securityGroupInfo><item><groupId>sg-1</groupId><ipPermissions><item><ipProtocol>tcp</ipProtocol>
            <fromPort>443</fromPort><toPort>443</toPort><groups><item><userId>1</userId><groupId>sg-2</groupId></item></groups>
            <ipRanges><item><cidrIp>10.0.0.0/16</cidrIp></item></ipRanges><ipv6Ranges/>
            <prefixListIds><item><prefixListId>pl-1</prefixListId></item></prefixListIds></item>
            <item><ipProtocol>icmp</ipProtocol><fromPort>-1</fromPort><toPort>-1</toPort></item></ipPermissions>
            <ipPermissionsEgress><item><ipProtocol>-1</ipProtocol><groups/><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges>
            </item></ipPermissionsEgress></item></securityGroupInfo></R>";
        let rows = group_rules(body.as_bytes()).unwrap().rows;
        let first = &rows[0].ingress[0];
        assert_eq!((first.protocol.as_str(), first.ports), ("tcp", Some((443, 443))));
        assert_eq!(
            (&first.cidrs[0], &first.groups[0], &first.prefix_lists[0]),
            (&"10.0.0.0/16".to_owned(), &"sg-2".to_owned(), &"pl-1".to_owned())
        );
        assert_eq!((rows[0].ingress[1].ports, rows[0].egress[0].ports), (None, None));
        assert_eq!(rows[0].egress[0].cidrs, ["0.0.0.0/0"]);
    }

    #[test]
    fn the_default_route_and_no_other() {
        let body = "<R><routeTableSet><item><routeSet><item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock>
            <gatewayId>local</gatewayId><state>active</state></item><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>
            <natGatewayId>nat-1</natGatewayId><state>blackhole</state></item></routeSet></item><item><routeSet/></item>
            </routeTableSet></R>";
        let route = Route { target: "nat-1".to_owned(), blackhole: true };
        assert_eq!(default_routes(body.as_bytes()).unwrap().rows, [Some(route), None]);
    }

    #[test]
    fn single_values() {
        let body = "<R><instanceId>i-1</instanceId><userData><value>IyE=</value></userData></R>";
        assert_eq!(user_data(body.as_bytes()).as_deref(), Ok("IyE="));
        assert_eq!(user_data(b"<R><userData/></R>").as_deref(), Ok(""));
        let body = "<R><vpcId>vpc-1</vpcId><enableDnsSupport><value>true</value></enableDnsSupport></R>";
        assert_eq!(vpc_attribute(body.as_bytes(), "enableDnsSupport"), Ok(true));
        assert!(vpc_attribute(body.as_bytes(), "enableDnsHostnames").is_err());
        let body = "<R><GetInstanceProfileResult><InstanceProfile><Arn>arn:p</Arn><Roles><member><RoleName>a</RoleName>
            <Arn>arn:r</Arn></member></Roles></InstanceProfile></GetInstanceProfileResult></R>";
        assert_eq!(profile_role(body.as_bytes()), Ok(Some("arn:r".to_owned())));
        let body = "<R><GetInstanceProfileResult><InstanceProfile><Arn>arn:p</Arn><Roles/></InstanceProfile></GetInstanceProfileResult></R>";
        assert_eq!(profile_role(body.as_bytes()), Ok(None));
        assert!(profile_role(b"<R/>").is_err());
    }
}
