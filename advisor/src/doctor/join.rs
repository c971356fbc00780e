//! Reads what joining depends on, of one instance and one cluster.

use std::fmt::Display;

use headroom_capacity::time::Time;
use headroom_cluster::{Client, map_roles, node_of};
use headroom_doctor::bundle::Section;
use headroom_doctor::join::{
    AccessEntry, AuthenticationMode, AwsAuth, ControlPlane, Facts, Image, Machine, Node, Subnet, UserData,
};

use crate::aws::Api;

/// Reads everything that can be read; the rest says why not. `aws` and `kubernetes` are why there is no connection where there is
/// none, `now` is the time by AWS's clock.
///
/// About 15 calls of AWS, two of Kubernetes and one more for each 500 nodes.
pub async fn read(
    aws: Result<&Api<'_>, String>,
    kubernetes: Result<&Client, String>,
    cluster: &str,
    instance: &str,
    now: Time,
) -> Facts {
    let mut facts = Facts {
        cluster: cluster.to_owned(),
        region: aws.as_ref().map_or_else(|_| String::new(), |api| api.region().to_owned()),
        instance: instance.to_owned(),
        ..Facts::default()
    };
    let of_kubernetes = async {
        match &kubernetes {
            Ok(client) => (Section::from(node_of(client, instance).await), Section::from(map_roles(client).await)),
            Err(why) => (Section::NotRead(why.clone()), Section::NotRead(why.clone())),
        }
    };
    let api = match aws {
        Ok(api) => api,
        Err(why) => {
            all_of_aws(&mut facts, &why);
            facts.node = node(of_kubernetes.await.0);
            return facts;
        }
    };
    let (machine, control_plane, (joined, map_roles)) =
        tokio::join!(api.machine(instance, now), api.control_plane(cluster), of_kubernetes);
    facts.node = node(joined);
    facts.machine = machine.into();
    facts.control_plane = control_plane.into();
    let (machine, control_plane) = (found(&facts.machine), found(&facts.control_plane));
    let (network, identity, guest) = tokio::join!(
        network(api, cluster, machine.as_ref(), control_plane.as_ref()),
        identity(api, cluster, machine.as_ref(), control_plane.as_ref(), map_roles),
        guest(api, instance, machine.as_ref()),
    );
    Facts {
        image: guest.0,
        user_data: guest.1,
        role: identity.role,
        aws_auth: identity.aws_auth,
        access_entry: identity.access_entry,
        control_plane_ips: network.control_plane_ips,
        security_groups: network.security_groups,
        subnet: network.subnet,
        default_route: network.default_route,
        vpc_dns: network.vpc_dns,
        vpc_endpoints: network.vpc_endpoints,
        ..facts
    }
}

/// What was read, and exists; why not, where not.
fn found<T: Clone>(section: &Section<Option<T>>) -> Result<T, String> {
    match section {
        Section::Read(Some(value)) => Ok(value.clone()),
        Section::Read(None) => Err("what it belongs to does not exist".to_owned()),
        Section::NotRead(why) => Err(format!("what it belongs to was not read: {why}")),
    }
}

fn node(section: Section<Option<headroom_cluster::Joined>>) -> Section<Option<Node>> {
    section.map(|joined| joined.map(|node| Node { name: node.name, ready: node.ready, message: node.message }))
}

fn all_of_aws(facts: &mut Facts, why: &str) {
    facts.machine = Section::NotRead(why.to_owned());
    facts.control_plane = Section::NotRead(why.to_owned());
}

fn not_read<T>(why: &impl Display) -> Section<T> {
    Section::NotRead(why.to_string())
}

/// The image and what it was told.
async fn guest(
    api: &Api<'_>,
    instance: &str,
    machine: Result<&Machine, &String>,
) -> (Section<Image>, Section<UserData>) {
    let machine = match machine {
        Ok(machine) => machine,
        Err(why) => return (not_read(why), not_read(why)),
    };
    let (image, user_data) = tokio::join!(api.image(&machine.image), api.user_data(instance));
    let image = match image {
        Ok(Some(image)) => Section::Read(image),
        Ok(None) => not_read(&format!(
            "EC2 shows no image {}: it is deregistered, or not shared with this account",
            machine.image
        )),
        Err(error) => not_read(&error),
    };
    // The text ends here.
    (image, user_data.map(|encoded| UserData::read(&encoded)).into())
}

struct Identity {
    role: Section<Option<String>>,
    aws_auth: Section<Option<AwsAuth>>,
    access_entry: Section<Option<AccessEntry>>,
}

/// The node role and who knows it.
async fn identity(
    api: &Api<'_>,
    cluster: &str,
    machine: Result<&Machine, &String>,
    control_plane: Result<&ControlPlane, &String>,
    map_roles: Section<Option<String>>,
) -> Identity {
    let profile = match machine {
        Ok(machine) => machine.profile.as_deref(),
        Err(why) => return Identity { role: not_read(why), aws_auth: not_read(why), access_entry: not_read(why) },
    };
    let role: Section<Option<String>> = match profile {
        Some(profile) => api.profile_role(profile.rsplit('/').next().unwrap_or(profile)).await.into(),
        None => Section::Read(None),
    };
    let arn = match &role {
        Section::Read(Some(arn)) => arn,
        Section::Read(None) => {
            let why = "the instance has no role";
            return Identity { role, aws_auth: not_read(&why), access_entry: not_read(&why) };
        }
        Section::NotRead(why) => {
            let why = format!("the instance's role was not read: {why}");
            return Identity { aws_auth: not_read(&why), access_entry: not_read(&why), role };
        }
    };
    let aws_auth = map_roles.map(|text| text.map(|text| AwsAuth::read(&text, arn, profile)));
    let access_entry = match control_plane {
        // EKS refuses to say then.
        Ok(cluster) if cluster.authentication_mode == AuthenticationMode::ConfigMap => Section::Read(None),
        Ok(_) => api.access_entry(cluster, arn).await.into(),
        Err(why) => not_read(why),
    };
    Identity { role, aws_auth, access_entry }
}

struct Network {
    control_plane_ips: Section<Vec<std::net::Ipv4Addr>>,
    security_groups: Section<Vec<headroom_doctor::join::SecurityGroup>>,
    subnet: Section<Subnet>,
    default_route: Section<Option<headroom_doctor::join::Route>>,
    vpc_dns: Section<headroom_doctor::join::VpcDns>,
    vpc_endpoints: Section<Vec<String>>,
}

/// Groups, routes, names and endpoints between the two.
async fn network(
    api: &Api<'_>,
    cluster: &str,
    machine: Result<&Machine, &String>,
    control_plane: Result<&ControlPlane, &String>,
) -> Network {
    let place = machine.map_err(String::as_str).and_then(|machine| match (&machine.subnet, &machine.vpc) {
        (Some(subnet), Some(vpc)) => Ok((machine, subnet.as_str(), vpc.as_str())),
        _ => Err("the instance is in no subnet any more"),
    });
    let (machine, subnet, vpc) = match place {
        Ok(place) => place,
        Err(why) => {
            return Network {
                control_plane_ips: not_read(&why),
                security_groups: not_read(&why),
                subnet: not_read(&why),
                default_route: not_read(&why),
                vpc_dns: not_read(&why),
                vpc_endpoints: not_read(&why),
            };
        }
    };
    let mut groups: Vec<&str> = machine.security_groups.iter().map(String::as_str).collect();
    if let Ok(cluster) = control_plane {
        groups.extend(cluster.cluster_security_group.iter().chain(&cluster.security_groups).map(String::as_str));
    }
    groups.sort_unstable();
    groups.dedup();
    let region = api.region();
    let (ips, groups, subnet, default_route, vpc_dns, vpc_endpoints) = tokio::join!(
        api.control_plane_ips(cluster, vpc),
        api.group_rules(&groups),
        api.subnet_of_cluster(subnet),
        api.default_route(subnet, vpc),
        api.vpc_dns(vpc),
        api.endpoint_services(vpc, region),
    );
    Network {
        control_plane_ips: ips.into(),
        security_groups: groups.into(),
        subnet: subnet.into(),
        default_route: default_route.into(),
        vpc_dns: vpc_dns.into(),
        vpc_endpoints: vpc_endpoints.into(),
    }
}
