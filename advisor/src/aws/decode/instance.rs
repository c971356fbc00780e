//! `DescribeInstances`.

use std::sync::Arc;

use headroom_capacity::time::Time;

use super::{Listing, date, each_tag, name, need};
use crate::aws::xml::{Malformed, Page, Xml};
use crate::inventory::{Instance, InstanceId, InstanceState};

/// An instance with its VPC, which it has until it is terminated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::aws) struct InstanceRow {
    pub(in crate::aws) instance: Instance,
    pub(in crate::aws) vpc: Option<Arc<str>>,
}

/// Reads a page. `cluster_tag` is `kubernetes.io/cluster/<name>`.
pub(in crate::aws) fn instances(body: &[u8], cluster_tag: &str) -> Listing<InstanceRow> {
    each_instance(body, |xml| instance(xml, cluster_tag))
}

/// Reads a page, each instance by `row`.
pub(super) fn each_instance<T>(body: &[u8], row: impl Fn(&mut Xml<'_>) -> Result<T, Malformed>) -> Listing<T> {
    // Instances that one call launched share a reservation.
    let page = Xml::page(body, "reservationSet", |xml| {
        let mut rows = Vec::new();
        xml.each(|xml, name| {
            match name {
                "instancesSet" => rows = xml.list(|xml| row(xml))?,
                _ => xml.skip()?,
            }
            Ok(())
        })?;
        Ok(Some(rows))
    })?;
    Ok(Page { rows: page.rows.into_iter().flatten().collect(), next: page.next })
}

fn instance(xml: &mut Xml<'_>, cluster_tag: &str) -> Result<InstanceRow, Malformed> {
    let (mut id, mut instance_type, mut state, mut launched_at) = (None, None, None, None);
    let (mut vpc, mut subnet, mut private_dns, mut group, mut of_cluster) = (None, None, None, None, false);
    xml.each(|xml, element| {
        match element {
            "instanceId" => id = Some(InstanceId::from(&*xml.text()?)),
            "instanceType" => instance_type = Some(name(xml)?),
            "instanceState" => state = Some(instance_state(xml)?),
            "launchTime" => launched_at = Some(launch_time(xml)?),
            "vpcId" => vpc = xml.some_text()?.map(Arc::from),
            "subnetId" => subnet = xml.some_text()?.map(Into::into),
            "privateDnsName" => private_dns = Some(name(xml)?),
            "tagSet" => each_tag(xml, |key, value| {
                of_cluster |= key == cluster_tag;
                if key == "aws:autoscaling:groupName" {
                    group = Some(Arc::from(&*value));
                }
                Ok(())
            })?,
            // Every address of the instance, most of the page; they come with the ENIs.
            "networkInterfaceSet" => xml.skip_to("</networkInterfaceSet>")?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    let instance = Instance {
        id: need(id, "instanceId")?,
        instance_type: need(instance_type, "instanceType")?,
        state: need(state, "instanceState")?,
        launched_at: need(launched_at, "launchTime")?,
        subnet,
        private_dns: private_dns.unwrap_or_default(),
        group,
        of_cluster,
    };
    Ok(InstanceRow { instance, vpc })
}

fn instance_state(xml: &mut Xml<'_>) -> Result<InstanceState, Malformed> {
    let mut state = None;
    xml.each(|xml, element| {
        match element {
            "name" => state = Some(xml.text()?),
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    match &*need(state, "instanceState.name")? {
        "pending" => Ok(InstanceState::Pending),
        "running" => Ok(InstanceState::Running),
        "shutting-down" => Ok(InstanceState::ShuttingDown),
        "stopping" | "stopped" => Ok(InstanceState::Stopped),
        "terminated" => Ok(InstanceState::Terminated),
        other => Err(Malformed::Value { name: "instanceState.name", text: other.to_owned() }),
    }
}

fn launch_time(xml: &mut Xml<'_>) -> Result<Time, Malformed> {
    let text = xml.text()?;
    date(&text).ok_or_else(|| Malformed::Value { name: "launchTime", text: text.into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_of_several_reservations() {
        let body = "<R><reservationSet><item><reservationId>r-1</reservationId><groupSet/><instancesSet>
            <item><instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name></instanceState>
            <privateDnsName>ip-10-0-0-5.us-west-2.compute.internal</privateDnsName><instanceType>c5.large</instanceType>
            <launchTime>2026-03-01T10:00:00.000Z</launchTime><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>
            <tagSet><item><key>kubernetes.io/cluster/a</key><value>owned</value></item>
            <item><key>aws:autoscaling:groupName</key><value>workers</value></item></tagSet>
            <networkInterfaceSet><item><subnetId>subnet-9</subnetId></item></networkInterfaceSet></item>
            <item><instanceId>i-2</instanceId><instanceState><name>terminated</name></instanceState><privateDnsName/>
            <instanceType>c5.large</instanceType><launchTime>2026-03-01T10:00:00.000Z</launchTime></item>
            </instancesSet></item></reservationSet></R>";
        let rows = instances(body.as_bytes(), "kubernetes.io/cluster/a").unwrap().rows;
        let launched_at = Time::from_secs(1_772_359_200);
        let first = Instance {
            id: "i-1".into(),
            instance_type: "c5.large".into(),
            state: InstanceState::Running,
            launched_at,
            subnet: Some("subnet-1".into()),
            private_dns: "ip-10-0-0-5.us-west-2.compute.internal".into(),
            group: Some("workers".into()),
            of_cluster: true,
        };
        assert_eq!(rows[0], InstanceRow { instance: first, vpc: Some("vpc-1".into()) });
        assert_eq!((rows[1].instance.state, &rows[1].instance.subnet), (InstanceState::Terminated, &None));
        assert!(!rows[1].instance.of_cluster && rows.len() == 2);
        let other = instances(body.as_bytes(), "kubernetes.io/cluster/b").unwrap().rows;
        assert!(!other[0].instance.of_cluster);
    }
}
