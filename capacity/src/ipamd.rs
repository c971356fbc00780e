//! ipamd as a state machine: `apply(event, now, choose) -> effects`.
//!
//! ipamd runs one loop that makes one EC2 call at a time; while a call is in flight the loop is blocked, but CNI ADD and DEL are
//! answered from the data store at once (CNI `pkg/ipamd/ipamd.go`). Network card 0 only, IPv4 only.
//!
//! Left out: other network cards (`ENABLE_MULTI_NIC`), IPv6, leftovers of the other mode that ipamd gives back at start,
//! polling the instance metadata, and the calls that do not change the pool (tags, security groups).

pub mod discovery;
mod event;
mod grow;
mod reconcile;
mod shrink;
pub mod targets;
mod turn;

pub use event::{Call, Ec2Error, Effect, Event, NewEni, Reply, SubnetInfo};

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::budget::Ipv4Budget;
use crate::datastore::{Datastore, EniSpec};
use crate::ids::{PodUid, SubnetId};
use crate::settings::CniSettings;
use crate::time::Time;
use crate::units::{Enis, Ips, Prefixes};
use reconcile::Orphan;
use targets::{Pool, PoolRules};
use turn::{Cx, Turn};

/// After EC2 refused for want of addresses ipamd asks for none that long (`insufficientCidrErrorCooldown`).
pub const BACK_OFF: Duration = Duration::from_secs(120);
/// Blocks are given back at most once in that time (`decreaseIPPoolInterval`).
pub const DECREASE_INTERVAL: Duration = Duration::from_secs(30);
/// The data store is compared with the instance when nothing was changed for that long (`nodeIPPoolReconcileInterval`).
pub const RECONCILE_INTERVAL: Duration = Duration::from_secs(60);
/// A block that was given back and is still attached returns to the data store only after that (`ipReconcileCooldown`).
pub const RECONCILE_COOLDOWN: Duration = Duration::from_secs(60);

/// What ipamd knows when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// aws-node's settings.
    pub settings: CniSettings,
    /// The node's limits.
    pub budget: Ipv4Budget,
    /// The subnet of the primary ENI.
    pub primary_subnet: SubnetId,
    /// `ENIConfig.spec.subnet`, under custom networking.
    pub eni_config_subnet: Option<SubnetId>,
    /// Subnets of which [`discovery::is_excluded`] holds: with subnet discovery, ENIs there hold a slot and give no address
    /// (`excludedENIBasedOnSubnetTags`).
    pub excluded_subnets: Vec<SubnetId>,
}

/// ipamd's state.
#[derive(Clone, Debug)]
pub struct Ipamd {
    config: Config,
    rules: PoolRules,
    store: Datastore,
    cordoned: bool,
    turn: Option<Turn>,
    refused_at: Option<Time>,
    decreased_at: Option<Time>,
    acted_at: Option<Time>,
    orphans: Vec<Orphan>,
}

impl Ipamd {
    /// ipamd at start (`nodeInit`), with the ENIs that the instance already has; the first is the primary one. The first
    /// [`Event::Tick`] does what `handlePreScaling` would.
    #[must_use]
    pub fn start(config: Config, enis: Vec<NewEni>, now: Time) -> Ipamd {
        let rules = PoolRules::new(&config.settings, &config.budget);
        let store = Datastore::new(config.budget.mode, config.settings.ip_cooldown);
        let mut ipamd = Ipamd {
            config,
            rules,
            store,
            cordoned: false,
            turn: None,
            refused_at: None,
            decreased_at: None,
            acted_at: None,
            orphans: Vec::new(),
        };
        for (at, eni) in enis.into_iter().enumerate() {
            ipamd.add_eni(eni, at == 0, now);
        }
        ipamd
    }

    /// Applies one event. `choose(n)` picks one of `n` where ipamd walks a Go map (random ENI, random CIDR, random address).
    ///
    /// A tick while a call is in flight does nothing; nor does a reply when none is.
    pub fn apply(&mut self, event: Event, now: Time, choose: &mut dyn FnMut(usize) -> usize) -> Vec<Effect> {
        self.store.settle(now);
        let mut cx = Cx { now, choose, effects: Vec::new() };
        match event {
            Event::Tick => self.tick(&mut cx),
            Event::Reply(reply) => self.reply(reply, &mut cx),
            Event::Add(pod) => self.add(pod, &mut cx),
            Event::Del(pod) => self.del(pod, &mut cx),
            Event::Cordoned(cordoned) => self.cordoned = cordoned,
            Event::Discovered(eni) => self.add_eni(eni, false, now),
        }
        cx.effects
    }

    /// Addresses attached, assigned, cooling.
    #[must_use]
    pub fn stats(&self, now: Time) -> PoolStats {
        let stats = self.store.stats(now);
        PoolStats {
            total: stats.total,
            assigned: stats.assigned,
            cooling: stats.cooling,
            prefixes: stats.prefixes(),
            enis: self.pod_enis(),
        }
    }

    /// The data store: ENIs with their blocks, subnets and ages, and every address's state, as the introspection endpoint
    /// shows them.
    #[must_use]
    pub fn store(&self) -> &Datastore {
        &self.store
    }

    /// Pods that hold an address, by UID.
    pub fn pods(&self) -> impl ExactSizeIterator<Item = (&PodUid, Ipv4Addr)> {
        self.store.pods()
    }

    /// What ipamd was started with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether an EC2 call is in flight: the loop is blocked, and a [`Event::Tick`] does nothing.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.turn.is_some()
    }

    /// The last instant at which ipamd asks EC2 for nothing because it was refused addresses; `None` when it is not backing
    /// off (`inInsufficientCidrCoolingPeriod`).
    #[must_use]
    pub fn back_off_until(&self, now: Time) -> Option<Time> {
        self.refused_at.filter(|at| now.since(*at) <= BACK_OFF).map(|at| at + BACK_OFF)
    }

    fn add(&mut self, pod: PodUid, cx: &mut Cx<'_>) {
        match self.store.assign(pod.clone(), cx.now, cx.choose) {
            Ok(ip) => cx.effects.push(Effect::Assigned { pod, ip }),
            Err(_) => {
                cx.log("DataStore has no available IP/Prefix addresses");
                cx.effects.push(Effect::NoAddress(pod));
            }
        }
    }

    fn del(&mut self, pod: PodUid, cx: &mut Cx<'_>) {
        match self.store.release(&pod, cx.now) {
            Ok(released) => cx.effects.push(Effect::Released { pod, ip: released.ip }),
            Err(_) => cx.log(format!("UnassignPodIPAddress: Failed to find sandbox {pod}")),
        }
    }

    /// CNI `setupENI`. An ENI that is there already keeps what it has.
    fn add_eni(&mut self, eni: NewEni, primary: bool, now: Time) {
        let settings = &self.config.settings;
        let spec = EniSpec {
            id: eni.id.clone(),
            device_index: eni.device_index,
            primary,
            trunk: eni.trunk,
            efa: false,
            excluded: settings.subnet_discovery && self.config.excluded_subnets.contains(&eni.subnet),
            subnet: eni.subnet,
        };
        if self.store.add_eni(spec, now).is_ok() {
            self.add_blocks(&eni.id, eni.blocks);
        }
    }

    /// The pool as the targets see it.
    fn pool(&self, now: Time) -> Pool {
        let stats = self.store.stats(now);
        Pool {
            total: stats.total,
            assigned: stats.assigned,
            prefixes: stats.prefixes(),
            free_prefixes: self.store.free_prefixes(),
        }
    }

    /// ENIs that take pod addresses: not the trunk, not excluded ones, not the primary one under custom networking.
    fn pod_enis(&self) -> Enis {
        let custom = self.config.settings.custom_networking;
        let gives_none = |spec: &EniSpec| spec.trunk || spec.excluded || (custom && spec.primary);
        self.store.enis().filter(|eni| !gives_none(eni.spec())).map(|_| Enis(1)).sum()
    }
}

/// The pool in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PoolStats {
    /// Attached addresses for pods, whatever their state.
    pub total: Ips,
    /// Held by pods.
    pub assigned: Ips,
    /// Released, not yet usable.
    pub cooling: Ips,
    /// Prefixes attached.
    pub prefixes: Prefixes,
    /// ENIs attached that take pod addresses.
    pub enis: Enis,
}

impl PoolStats {
    /// Total − assigned, what ipamd calls available: cooling addresses included.
    #[must_use]
    pub fn available(&self) -> Ips {
        self.total.saturating_sub(self.assigned)
    }

    /// What ADD can hand out at once.
    #[must_use]
    pub fn assignable(&self) -> Ips {
        self.available().saturating_sub(self.cooling)
    }
}
