//! What a node to come will look like to kube-scheduler.

use std::collections::{BTreeMap, BTreeSet};

use headroom_cluster::drain::MARK;
use headroom_cluster::{Looks, Node, REGION_LABELS, Taint, ZONE_LABELS};

use super::groups::types;
use crate::inventory::Group;
use crate::ledger::Known;

const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";
/// Tags of a group by which Cluster Autoscaler is told what its nodes look like (CA `cloudprovider/aws/aws_manager.go`,
/// `extractLabelsFromAsg`, `extractTaintsFromAsg`). The value of a taint is `value:effect`.
const LABEL_TAG: &str = "k8s.io/cluster-autoscaler/node-template/label/";
const TAINT_TAG: &str = "k8s.io/cluster-autoscaler/node-template/taint/";
/// EKS names the managed node group in a tag of its group and in a label of its nodes.
const EKS_GROUP: (&str, &str) = ("eks:nodegroup-name", "eks.amazonaws.com/nodegroup");
/// Keys, or what they begin with, of taints that say how a node is at the moment: Kubernetes' own, and Cluster Autoscaler's (CA
/// `utils/taints/taints.go`).
const PASSING_TAINTS: [&str; 7] = [
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
    "ignore-taint.cluster-autoscaler.kubernetes.io/",
    "startup-taint.cluster-autoscaler.kubernetes.io/",
    "status-taint.cluster-autoscaler.kubernetes.io/",
];

/// What the nodes of a group have alike, whatever their zone: of its members that are Ready, or, where it has none, what its tags say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Likeness {
    /// Each value that a label has on some member, `None` where one lacks it.
    labels: BTreeMap<String, BTreeSet<Option<String>>>,
    /// Those that every member has.
    annotations: BTreeMap<String, String>,
    /// Likewise.
    taints: Vec<Taint>,
}

/// Whether it is known which labels and taints a node of the group will have. EKS writes those of a managed node group into no tag: Cluster
/// Autoscaler asks `eks:DescribeNodegroup` (CA `cloudprovider/aws/managed_nodegroup_cache.go`). So there tags must have been added.
pub(crate) fn has_template(known: &Known<'_>, group: &Group) -> bool {
    let tagged = |tag: &String| tag.starts_with(LABEL_TAG) || tag.starts_with(TAINT_TAG);
    !group.tags.contains_key(EKS_GROUP.0) || group.tags.keys().any(tagged) || !ready_nodes(known, group).is_empty()
}

fn ready_nodes<'a>(known: &Known<'a>, group: &Group) -> Vec<&'a Node> {
    let members = group.members.iter().filter_map(|member| known.members().get(known.place(&member.instance)?));
    members.filter_map(|member| member.node).map(|info| &info.node).filter(|node| node.ready).collect()
}

impl Likeness {
    pub(crate) fn of(known: &Known<'_>, group: &Group) -> Likeness {
        let ready = ready_nodes(known, group);
        if ready.is_empty() { Likeness::of_tags(known, group) } else { Likeness::of_nodes(&ready) }
    }

    fn of_nodes(nodes: &[&Node]) -> Likeness {
        let keys: BTreeSet<&String> = nodes.iter().flat_map(|node| node.labels.keys()).collect();
        let values = |key: &String| {
            let values: BTreeSet<Option<&String>> = nodes.iter().map(|node| node.labels.get(key)).collect();
            values.into_iter().map(Option::<&String>::cloned).collect()
        };
        let lasting = nodes.iter().flat_map(|node| &node.taints).filter(|taint| lasts(taint));
        let mut taints: Vec<Taint> = Vec::new();
        for taint in lasting {
            if !taints.contains(taint) && nodes.iter().all(|node| node.taints.contains(taint)) {
                taints.push(taint.clone());
            }
        }
        let mut annotations = nodes.first().map(|node| node.annotations.clone()).unwrap_or_default();
        annotations.retain(|key, value| nodes.iter().all(|node| node.annotations.get(key) == Some(value)));
        Likeness { labels: keys.into_iter().map(|key| (key.clone(), values(key))).collect(), annotations, taints }
    }

    fn of_tags(known: &Known<'_>, group: &Group) -> Likeness {
        let types = types(group);
        let shapes = types.iter().filter_map(|name| known.inventory().offers.get(name)?.shape);
        let archs: BTreeSet<_> = shapes.map(|shape| Some(shape.architecture.label().to_owned())).collect();
        let types: BTreeSet<_> = types.into_iter().map(|name| Some(name.to_string())).collect();
        let by_type = [
            ("node.kubernetes.io/instance-type", types.clone()),
            ("beta.kubernetes.io/instance-type", types),
            ("kubernetes.io/arch", archs.clone()),
            ("beta.kubernetes.io/arch", archs),
        ];
        let os = ["kubernetes.io/os", "beta.kubernetes.io/os"].map(|label| (label.to_owned(), "linux".to_owned()));
        let mut labels = BTreeMap::from(os);
        let subnet = group.subnets.iter().find_map(|id| known.inventory().subnets.get(id));
        if let Some(region) = subnet.map(|subnet| region(&subnet.az)) {
            labels.extend(REGION_LABELS.map(|label| (label.to_owned(), region.to_owned())));
        }
        if let Some(name) = group.tags.get(EKS_GROUP.0) {
            labels.insert(EKS_GROUP.1.to_owned(), name.clone());
        }
        let mut taints = Vec::new();
        for (tag, text) in &group.tags {
            if let Some(label) = tag.strip_prefix(LABEL_TAG) {
                labels.insert(label.to_owned(), text.clone());
            }
            if let Some((key, (value, effect))) = tag.strip_prefix(TAINT_TAG).zip(text.rsplit_once(':')) {
                taints.push(Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned() });
            }
        }
        let by_type = by_type.into_iter().filter(|(_, values)| !values.is_empty());
        let mut labels: BTreeMap<_, _> =
            labels.into_iter().map(|(key, value)| (key, BTreeSet::from([Some(value)]))).collect();
        for (key, values) in by_type {
            labels.entry(key.to_owned()).or_insert(values);
        }
        Likeness { labels, annotations: BTreeMap::new(), taints }
    }

    /// A node in zone `az`.
    pub(crate) const fn in_zone<'a>(&'a self, az: &'a str) -> InZone<'a> {
        InZone { like: self, az }
    }

    /// The label's value where the nodes have one and the same.
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        let values = self.labels.get(key)?;
        values.first()?.as_deref().filter(|_| values.len() == 1)
    }

    /// Likewise.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }
}

/// The zone's region, with which its name begins: `us-west-2` of `us-west-2a`, and of the local zone `us-west-2-lax-1a`.
fn region(az: &str) -> &str {
    let after_digits =
        az.char_indices().skip_while(|(_, at)| !at.is_ascii_digit()).find(|(_, at)| !at.is_ascii_digit());
    after_digits.and_then(|(end, _)| az.get(..end)).unwrap_or(az)
}

fn lasts(taint: &Taint) -> bool {
    taint.key != MARK && !PASSING_TAINTS.iter().any(|passing| taint.key.starts_with(passing))
}

/// A node to come in one zone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InZone<'a> {
    like: &'a Likeness,
    az: &'a str,
}

impl Looks for InZone<'_> {
    fn name(&self) -> Option<&str> {
        None
    }

    fn every(&self, label: &str, holds: &dyn Fn(Option<&str>) -> bool) -> bool {
        if ZONE_LABELS.contains(&label) {
            return holds(Some(self.az));
        }
        if label == HOSTNAME_LABEL {
            // It will have one, and none that anybody could have named.
            return holds(Some(""));
        }
        match self.like.labels.get(label) {
            Some(values) => values.iter().all(|value| holds(value.as_deref())),
            None => holds(None),
        }
    }

    fn taints(&self) -> &[Taint] {
        &self.like.taints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_named_after_its_region() {
        for (az, named) in [
            ("us-west-2a", "us-west-2"),
            ("us-gov-east-1b", "us-gov-east-1"),
            ("us-west-2-lax-1a", "us-west-2"),
            ("us-east-1-wl1-bos-wlz-1", "us-east-1"),
        ] {
            assert_eq!(region(az), named);
        }
    }
}
