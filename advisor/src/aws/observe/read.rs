//! Parts that take several listings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance::lookup;
use headroom_capacity::subnet::Cidr;

use crate::aws::api::Api;
use crate::aws::decode::InstanceRow;
use crate::aws::error::AwsError;
use crate::inventory::{Endpoint, Group, Instance, InstanceId, Inventory, Offer, Reservation};

/// What seldom changes.
pub(super) struct Topology {
    pub(super) vpc_cidrs: Vec<Cidr>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) reservations: BTreeMap<SubnetId, Vec<Reservation>>,
}

impl Api<'_> {
    /// Instances with the cluster's tag, and those of `nodes` that lack it.
    pub(super) async fn cluster_instances(
        &self,
        cluster: &str,
        nodes: &BTreeSet<InstanceId>,
    ) -> Result<Vec<InstanceRow>, AwsError> {
        let mut rows = self.instances(cluster).await?;
        let tagged: BTreeSet<&InstanceId> = rows.iter().map(|row| &row.instance.id).collect();
        let others: Vec<InstanceId> = nodes.iter().filter(|id| !tagged.contains(id)).cloned().collect();
        rows.extend(self.instances_by_id(&others, cluster).await?);
        Ok(rows)
    }

    /// Groups with a tag of the cluster, and those of `names` that lack one.
    pub(super) async fn cluster_groups(
        &self,
        cluster: &str,
        mut names: BTreeSet<Arc<str>>,
    ) -> Result<Vec<Group>, AwsError> {
        let mut groups = self.groups(cluster).await?;
        for group in &groups {
            names.remove(&group.name);
        }
        let names: Vec<Arc<str>> = names.into_iter().collect();
        groups.extend(self.groups_by_name(&names).await?);
        Ok(groups)
    }

    pub(super) async fn topology(&self, vpc: &str, subnets: Vec<SubnetId>) -> Result<Topology, AwsError> {
        Ok(Topology {
            vpc_cidrs: self.vpc_cidrs(vpc).await?,
            endpoints: self.endpoints(vpc).await?,
            reservations: self.reservations(subnets.into_iter()).await?,
        })
    }
}

/// Reads with `with`, where there is something to read with.
pub(super) async fn maybe<A, T, F: Future<Output = Result<T, AwsError>>>(
    with: Option<A>,
    read: impl FnOnce(A) -> F,
) -> Option<Result<T, AwsError>> {
    match with {
        Some(with) => Some(read(with).await),
        None => None,
    }
}

/// The VPC of most of them; of equally frequent ones the first by name.
pub(super) fn vpc_of(rows: &[InstanceRow]) -> Option<Arc<str>> {
    let mut counts: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for vpc in rows.iter().filter_map(|row| row.vpc.as_ref()) {
        *counts.entry(vpc).or_default() += 1;
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(vpc, _)| Arc::clone(vpc))
}

/// Names of the groups that the instances say they are of.
pub(super) fn group_names(instances: &BTreeMap<InstanceId, Instance>) -> BTreeSet<Arc<str>> {
    instances.values().filter_map(|instance| instance.group.clone()).collect()
}

/// Types of instances and group members that neither the built-in table nor EC2 has told the limits of.
pub(super) fn unknown_types(inventory: &Inventory) -> BTreeSet<Arc<str>> {
    let instances = inventory.instances.values().map(|instance| &instance.instance_type);
    let members = inventory.groups.values().flat_map(|group| &group.members).map(|member| &member.instance_type);
    let unknown = |name: &&Arc<str>| !name.is_empty() && lookup(name).is_none() && !inventory.types.contains_key(*name);
    instances.chain(members).filter(unknown).cloned().collect()
}

/// Takes in what EC2 said of some types by name, or of all of them.
pub(super) fn learn(inventory: &mut Inventory, told: Vec<(Arc<str>, Offer)>, all: bool) {
    let offers = Arc::make_mut(&mut inventory.offers);
    if all {
        offers.clear();
    }
    offers.extend(told);
    for name in unknown_types(inventory) {
        if let Some(offer) = inventory.offers.get(&name) {
            inventory.types.insert(name, offer.limits);
        }
    }
}

#[cfg(test)]
mod tests {
    use headroom_capacity::time::Time;

    use super::*;
    use crate::inventory::InstanceState;

    fn row(id: &str, instance_type: &str, vpc: Option<&str>) -> InstanceRow {
        let instance = Instance {
            id: id.into(),
            instance_type: instance_type.into(),
            state: InstanceState::Running,
            launched_at: Time::ZERO,
            subnet: None,
            private_dns: "".into(),
            group: None,
            of_cluster: true,
        };
        InstanceRow { instance, vpc: vpc.map(Into::into) }
    }

    #[test]
    fn the_vpc_is_that_of_most_instances() {
        let rows = [("i-1", Some("vpc-b")), ("i-2", Some("vpc-a")), ("i-3", None), ("i-4", Some("vpc-b"))];
        let mut rows = rows.map(|(id, vpc)| row(id, "c5.large", vpc)).to_vec();
        assert_eq!(vpc_of(&rows).as_deref(), Some("vpc-b"));
        rows.pop();
        assert_eq!(vpc_of(&rows).as_deref(), Some("vpc-a"));
        assert_eq!(vpc_of(&rows[2..]), None);
    }

    #[test]
    fn only_types_that_nobody_knows_are_asked_about() {
        let rows = [("i-1", "c5.large"), ("i-2", "zz9.large"), ("i-3", "zz9.xlarge"), ("i-4", "")];
        let rows = rows.map(|(id, instance_type)| row(id, instance_type, None).instance);
        let known = lookup("c5.large").expect("every table has it");
        let inventory = Inventory {
            instances: rows.into_iter().map(|instance| (instance.id.clone(), instance)).collect(),
            types: [("zz9.xlarge".into(), *known)].into(),
            ..Inventory::default()
        };
        assert_eq!(unknown_types(&inventory), BTreeSet::from(["zz9.large".into()]));
    }

    #[test]
    fn what_ec2_says_of_a_type_in_use_is_known_of_it() {
        let limits = *lookup("c5.large").expect("every table has it");
        let offer =
            Offer { limits, shape: None, current: true, burstable: false, local_disks: false, accelerated: false };
        let offers = |names: &[&str]| names.iter().map(|name| (Arc::from(*name), offer)).collect::<Vec<_>>();
        let used = row("i-1", "zz9.large", None).instance;
        let mut inventory = Inventory { instances: [(used.id.clone(), used)].into(), ..Inventory::default() };
        learn(&mut inventory, offers(&["c5.large", "zz8.large"]), true);
        assert!(inventory.types.is_empty() && inventory.offers.len() == 2);
        learn(&mut inventory, offers(&["zz9.large"]), false);
        assert_eq!(
            (inventory.types.keys().map(|name| &**name).collect::<Vec<_>>(), inventory.offers.len()),
            (vec!["zz9.large"], 3)
        );
        learn(&mut inventory, offers(&["c5.large"]), true);
        assert_eq!((inventory.types.len(), inventory.offers.len()), (1, 1), "what is in use stays known");
    }
}
