//! A node's budget in figures.

use std::fmt;

use headroom_capacity::verdict::Demand;
use serde::Serialize;

use super::audit::recommended;
use crate::room;
use crate::view::View;

/// What a node has and can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Its instance type.
    pub instance_type: Option<String>,
    /// Its Auto Scaling group.
    pub group: Option<String>,
    /// Whether it takes prefixes.
    pub prefixes: bool,
    /// ENIs that can take pod addresses.
    pub max_pod_enis: u32,
    /// Addresses, or /28s, that one ENI takes for pods.
    pub slots_per_eni: u32,
    /// Addresses for pods that can ever be attached.
    pub ceiling: u32,
    /// Who knows the type's limits.
    pub limits: String,
    /// kubelet's max-pods.
    pub max_pods: u32,
    /// What it should be; `None` where the type's limits are not known.
    pub recommended_max_pods: Option<u32>,
    /// Pods that run, on the host's network included.
    pub pods: u32,
    /// ENIs attached.
    pub enis: u32,
    /// Addresses attached for pods.
    pub attached: u32,
    /// Of these, those that pods have.
    pub assigned: u32,
    /// Those that were seen to cool down.
    pub cooling: u32,
    /// Pods that wait for one.
    pub waiting: u32,
    /// Pods that could still get an address.
    pub more_pods: u32,
    /// The subnets that it can take addresses from.
    pub subnets: Vec<Row>,
}

/// A subnet's room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its ID.
    pub subnet: String,
    /// Its name, zone and room.
    pub says: String,
    /// Free addresses.
    pub free: u32,
    /// Free /28s.
    pub free_prefixes: u32,
    /// Free slots on ENIs that are attached in it.
    pub free_slots: u32,
    /// Whether new ENIs may be made in it.
    pub new_enis: bool,
}

impl Figures {
    pub(super) fn of(view: &View<'_>) -> Option<Figures> {
        let (node, pool, budget) = (view.node, view.pool, view.ipv4()?);
        let more = view.verdict(pool.waiting, pool.cooling, Demand::PodIp);
        let rows = view.subnets().into_iter().map(|subnet| Row {
            subnet: subnet.id.clone(),
            says: room::of_subnet(subnet, view.prefixes()),
            free: subnet.free,
            free_prefixes: subnet.free_prefixes,
            free_slots: pool.free_slots.get(&subnet.id).copied().unwrap_or_default(),
            new_enis: view.enis_left() > 0 && pool.new_eni_subnets.contains(&subnet.id),
        });
        Some(Figures {
            instance_type: node.instance_type.clone(),
            group: pool.group.clone(),
            prefixes: view.prefixes(),
            max_pod_enis: budget.pod_enis.get(),
            slots_per_eni: budget.slots_per_eni,
            ceiling: budget.ceiling.get(),
            limits: room::limits(view).unwrap_or_default(),
            max_pods: node.max_pods,
            recommended_max_pods: recommended(view),
            pods: node.pods,
            enis: pool.enis,
            attached: pool.attached,
            assigned: pool.assigned,
            cooling: pool.cooling,
            waiting: pool.waiting,
            more_pods: more.grants().get(),
            subnets: rows.collect(),
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.recommended_max_pods.map_or_else(|| "?".to_owned(), |wanted| wanted.to_string());
        writeln!(f, "  limits     {}", self.limits)?;
        writeln!(f, "  max-pods   {}, recommended {wanted}; {} pods run", self.max_pods, self.pods)?;
        writeln!(
            f,
            "  addresses  {} attached on {} ENIs, {} with pods, {} cooling; pods that wait: {}; more that can come: {}",
            self.attached, self.enis, self.assigned, self.cooling, self.waiting, self.more_pods
        )?;
        for row in &self.subnets {
            let new = if row.new_enis { ", and new ENIs" } else { "" };
            writeln!(f, "  subnet     {}; {} free slots on its ENIs{new}", row.says, row.free_slots)?;
        }
        Ok(())
    }
}
