//! What the observer sees is what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headroom_advisor::aws::{Api, Deletion, ErrorClass, Operation, Part};
use headroom_advisor::inventory::{self, InstanceId, Inventory};
use headroom_capacity::binding::{Architecture, EbsLimit, TypeShape};
use headroom_capacity::instance::{self, LimitSource};
use headroom_capacity::time::Time;
use headroom_lab::aws::{self, FaultKind, NewEni, Tags, Vpc};
use headroom_lab::scenario::{BUNDLED, Scenario};
use headroom_lab::world::World;
use headroom_load_tests::seen::{eni, group, instance, subnet};

use crate::setup::{Aws, CLUSTER, config, serve, small, tagged, today};

/// Holds every part against the VPC's own state.
fn assert_complete(inventory: &Inventory, vpc: &Vpc, now: Time) {
    assert_eq!(inventory.vpc.as_deref(), Some(vpc.id()));
    assert_eq!(inventory.vpc_cidrs, vpc.config().cidrs);
    assert_eq!(
        inventory.subnets.values().cloned().collect::<Vec<_>>(),
        vpc.subnets(now).map(|view| subnet(vpc, view)).collect::<Vec<_>>()
    );
    for (id, reservations) in &inventory.reservations {
        let expected = vpc.reservations(id).unwrap().iter();
        let expected = expected.map(|one| inventory::Reservation { cidr: one.cidr, kind: one.kind });
        assert_eq!(*reservations, expected.collect::<Vec<_>>());
    }
    assert_eq!(inventory.reservations.len(), inventory.subnets.len());
    assert_eq!(inventory.enis, vpc.enis().map(eni).collect::<Vec<_>>());
    let here = vpc.instances().filter(|one| one.state != aws::InstanceState::Terminated);
    let here = here.map(|one| instance(one, CLUSTER));
    assert_eq!(inventory.instances.values().cloned().collect::<Vec<_>>(), here.collect::<Vec<_>>());
    assert_eq!(inventory.groups.values().cloned().collect::<Vec<_>>(), vpc.groups().map(group).collect::<Vec<_>>());
    let read_at = inventory.read_at;
    let all = [read_at.subnets, read_at.enis, read_at.instances, read_at.groups, read_at.endpoints];
    assert_eq!(all, [Some(now); 5]);
    assert!(read_at.offers.is_some());
}

#[tokio::test]
async fn every_bundled_scenario_is_seen_as_it_is() {
    for (name, _) in BUNDLED {
        let scenario = Scenario::bundled(name).unwrap().unwrap();
        let start = today();
        let mut world = World::new(scenario, start).unwrap();
        let now = start + Duration::from_secs(75);
        world.step_to(now);
        let lab = serve(world.vpc(), now).await;
        let round = lab.round(&mut lab.observer(&config()).await).await;
        assert_eq!((&round.errors[..], round.read.len()), (&[][..], Part::ALL.len()), "{name}");
        assert_complete(&round.inventory, &lab.vpc(), now);
        assert!(!round.inventory.enis.is_empty() && !round.inventory.groups.is_empty(), "{name}");
        for (asked, limits) in &round.inventory.types {
            assert_eq!(limits.source, LimitSource::DescribeInstanceTypes);
            assert_eq!(Some(limits.enis), lab.vpc().limits(asked).map(|limits| limits.enis), "{name}");
        }
        assert_eq!(round.inventory.types.is_empty(), *name != "r1-unknown-type", "{name}");
        let offers = &round.inventory.offers;
        assert_eq!(offers.len(), instance::all().len() + round.inventory.types.len(), "{name}");
        let m7i = offers["m7i.large"];
        let ebs = Some(EbsLimit::Dedicated(32));
        let shape = TypeShape { vcpus: 2, memory_mib: 8192, architecture: Architecture::Amd64, ebs };
        assert_eq!((m7i.shape, m7i.current, m7i.burstable, m7i.accelerated), (Some(shape), true, false, false));
        assert!(!offers["m5.large"].current && offers["t3.large"].burstable, "{name}");
        let pages = u32::try_from(offers.len()).unwrap().div_ceil(100);
        assert_eq!(round.counts()[&Operation::DescribeInstanceTypes], pages, "no type is asked for by name");
    }
}

#[tokio::test]
async fn short_pages_are_followed_to_the_end() {
    let lab = tagged().await;
    let now = lab.clock.now();
    let subnet = lab.vpc().subnets(now).next().unwrap().id;
    for _ in 0..20 {
        lab.vpc().create_eni(NewEni::in_subnet(subnet.clone()), now).unwrap();
    }
    let endpoint = lab.vpc().create_endpoint("autoscaling", &[subnet], now).unwrap();
    // Not of the region's instance types: 1,400 of them, five at a time, are more than the quota grants at once.
    for listing in ["Subnets", "NetworkInterfaces", "Instances", "VpcEndpoints"] {
        lab.fault(Some(&format!("Describe{listing}")), FaultKind::ShortPages, 1);
    }
    let round = lab.round(&mut lab.observer(&config()).await).await;
    assert_complete(&round.inventory, &lab.vpc(), now);
    assert_eq!(round.counts()[&Operation::DescribeNetworkInterfaces], 23_u32.div_ceil(5));
    let [seen] = &round.inventory.endpoints[..] else { panic!("one endpoint") };
    assert_eq!((&*seen.service, seen.available, seen.interface), ("com.amazonaws.us-west-2.autoscaling", true, true));
    assert_eq!(seen.enis, endpoint.enis);
}

fn nodes(lab: &Aws) -> BTreeSet<InstanceId> {
    lab.vpc().instances().map(|one| one.id.as_str().into()).collect()
}

#[tokio::test]
async fn nodes_without_the_tag_lead_to_their_instances_vpc_and_group() {
    let lab = small(Tags::new()).await;
    let mut observer = lab.observer(&config()).await;
    let round = lab.round(&mut observer).await;
    assert_eq!((round.errors.len(), round.inventory.vpc.clone()), (0, None));
    assert!(round.inventory.instances.is_empty() && round.inventory.groups.is_empty());
    let mut nodes = nodes(&lab);
    nodes.insert("i-00000000000000000".into());
    lab.clock.advance(Duration::from_secs(60));
    let round = lab.round_with(&mut observer, &nodes).await;
    assert_eq!(round.errors, []);
    assert_complete(&round.inventory, &lab.vpc(), lab.clock.now());
    assert!(round.inventory.instances.values().all(|one| !one.of_cluster));
}

#[tokio::test]
async fn a_part_is_read_when_it_is_due() {
    let lab = tagged().await;
    let mut observer = lab.observer(&config()).await;
    lab.round(&mut observer).await;
    let quiet = lab.round(&mut observer).await;
    assert!(quiet.calls.is_empty() && !quiet.inventory.enis.is_empty());
    assert!(observer.next_due() > lab.clock.now());
    lab.clock.advance(Duration::from_secs(30));
    let round = lab.round(&mut observer).await;
    assert_eq!(round.counts(), BTreeMap::from([(Operation::DescribeSubnets, 1)]));
    assert_eq!(round.inventory.read_at.subnets, Some(lab.clock.now()));
    assert!(round.inventory.read_at.enis < round.inventory.read_at.subnets);
    assert!(round.calls.iter().all(|call| call.outcome() == "ok" && call.seconds > 0.0));
}

#[tokio::test]
async fn a_leaked_eni_is_deleted_once_and_an_attached_one_never() {
    let lab = tagged().await;
    let now = lab.clock.now();
    let subnet = lab.vpc().subnets(now).next().unwrap().id;
    let leaked = lab.vpc().create_eni(NewEni::in_subnet(subnet), now).unwrap().id;
    let attached = lab.vpc().enis().find(|eni| eni.attachment.is_some()).unwrap().id.clone();
    let connection = lab.connect(&config()).await;
    let api = Api::new(&connection);
    assert!(api.eni(&leaked).await.unwrap().unwrap().available);
    assert_eq!(api.delete_network_interface(&leaked, true).await, Ok(Deletion::WouldSucceed));
    assert!(lab.vpc().eni(&leaked).is_ok());
    assert_eq!(api.delete_network_interface(&leaked, false).await, Ok(Deletion::Deleted));
    assert_eq!(api.delete_network_interface(&leaked, false).await, Ok(Deletion::Gone));
    assert_eq!(api.eni(&leaked).await, Ok(None));
    let refused = api.delete_network_interface(&attached, false).await.unwrap_err();
    assert_eq!((refused.class, refused.is_retryable()), (ErrorClass::Invalid, false));
    assert!(lab.vpc().eni(&attached).is_ok());
    let outcomes: Vec<_> = api.into_records().iter().map(|call| call.outcome()).collect();
    assert_eq!(outcomes, ["ok", "ok", "ok", "ok", "ok", "invalid"]);
}

#[tokio::test]
async fn security_groups_of_the_vpc() {
    let lab = tagged().await;
    let connection = lab.connect(&config()).await;
    let vpc = lab.vpc().id().to_owned();
    let groups = Api::new(&connection).security_groups(&vpc).await.unwrap();
    assert_eq!(groups.iter().map(|group| &*group.name).collect::<Vec<_>>(), ["default"]);
}
