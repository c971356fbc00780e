//! Addresses on ENIs.

use std::net::Ipv4Addr;

use headroom_capacity::ids::EniId;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;

use super::{Eni, no_prefixes, private_ip_limit, refused};
use crate::aws::config::MAX_ATTACHMENTS_PER_CALL;
use crate::aws::subnet::Demand;
use crate::aws::{ApiError, Vpc};

impl Vpc {
    /// AssignPrivateIpAddresses with `SecondaryPrivateIpAddressCount`: the addresses that are new on the ENI.
    ///
    /// # Errors
    /// `InvalidNetworkInterfaceID.NotFound`, `PrivateIpAddressLimitExceeded`, `InsufficientFreeAddressesInSubnet`.
    pub fn assign_private_ips(&mut self, eni: &EniId, count: u32, now: Time) -> Result<Vec<Ipv4Addr>, ApiError> {
        let blocks = self.assign(eni, Demand { ips: count, prefixes: 0 }, now)?;
        Ok(blocks.into_iter().map(Cidr::base).collect())
    }

    /// AssignPrivateIpAddresses with `Ipv4PrefixCount`: the /28s that are new on the ENI.
    ///
    /// # Errors
    /// `InvalidNetworkInterfaceID.NotFound`, `PrivateIpAddressLimitExceeded`, `InsufficientCidrBlocks`, and
    /// `InvalidParameterCombination` on an instance that takes no prefixes.
    pub fn assign_prefixes(&mut self, eni: &EniId, count: u32, now: Time) -> Result<Vec<Cidr>, ApiError> {
        self.assign(eni, Demand { ips: 0, prefixes: count }, now)
    }

    fn assign(&mut self, id: &EniId, demand: Demand, now: Time) -> Result<Vec<Cidr>, ApiError> {
        self.settle(now);
        let eni = self.eni(id)?;
        if demand.ips + demand.prefixes == 0 {
            return Err(ApiError::invalid("the number of addresses to assign must be positive"));
        }
        self.check_slots(eni, demand)?;
        let subnet_id = eni.subnet.clone();
        let subnet = self.subnets.get_mut(&subnet_id).ok_or_else(|| crate::aws::subnet::unknown(&subnet_id))?;
        let blocks = subnet.take(id, demand, &mut self.rng).map_err(refused)?;
        self.note_subnet(&subnet_id, now);
        if let Some(eni) = self.enis.get_mut(id) {
            for block in &blocks {
                if block.is_prefix() { eni.prefixes.push(*block) } else { eni.secondary_ips.push(block.base()) }
            }
        }
        Ok(blocks)
    }

    /// The type's limit holds for attached ENIs; a free one is only bound by what any type could take.
    fn check_slots(&self, eni: &Eni, demand: Demand) -> Result<(), ApiError> {
        let limits = eni.attachment.as_ref().and_then(|attachment| self.limits_of(&attachment.instance));
        if demand.prefixes > 0 && limits.is_some_and(|limits| !limits.supports_prefixes()) {
            return Err(no_prefixes());
        }
        let most = limits.map_or(MAX_ATTACHMENTS_PER_CALL, |limits| limits.ipv4_per_eni);
        let wanted = eni.slots() + (demand.ips + demand.prefixes) as usize;
        if wanted > most as usize { Err(private_ip_limit()) } else { Ok(()) }
    }

    /// UnassignPrivateIpAddresses of secondary addresses (/32) and prefixes (/28): all of them, or none.
    ///
    /// # Errors
    /// `InvalidNetworkInterfaceID.NotFound`; `InvalidParameterValue` for a block that is not on the ENI, or is its primary
    /// address.
    pub fn unassign(&mut self, id: &EniId, blocks: &[Cidr], now: Time) -> Result<(), ApiError> {
        self.settle(now);
        let eni = self.eni(id)?;
        let secondary = |block: &Cidr| eni.secondary_ips.iter().any(|ip| Cidr::single(*ip) == *block);
        let removable = |block: &Cidr| eni.prefixes.contains(block) || secondary(block);
        if let Some(stranger) = blocks.iter().find(|block| !removable(block)) {
            let is_address = *stranger == Cidr::single(stranger.base());
            let name = if is_address { stranger.base().to_string() } else { stranger.to_string() };
            return Err(ApiError::invalid(format!("Some of [{name}] are not assigned to interface {id}")));
        }
        let subnet = eni.subnet.clone();
        if let Some(eni) = self.enis.get_mut(id) {
            eni.prefixes.retain(|prefix| !blocks.contains(prefix));
            eni.secondary_ips.retain(|ip| !blocks.contains(&Cidr::single(*ip)));
        }
        self.subnet_mut(&subnet)?.release(blocks);
        self.note_subnet(&subnet, now);
        Ok(())
    }
}
