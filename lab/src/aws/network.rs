//! The rest of the VPC: endpoints and security groups.

use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::time::Time;

use super::eni::NewEni;
use super::{ApiError, InstanceId, Tags, Vpc};

/// An interface VPC endpoint (PrivateLink).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `vpce-...`.
    pub id: String,
    /// `com.amazonaws.us-west-2.autoscaling`.
    pub service: String,
    /// `PrivateDnsEnabled`.
    pub private_dns: bool,
    /// Its subnets.
    pub subnets: Vec<SubnetId>,
    /// One ENI in each of them.
    pub enis: Vec<EniId>,
    /// When it was made.
    pub created_at: Time,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-...`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
}

impl Vpc {
    /// CreateVpcEndpoint for one service of this region, `autoscaling` for example: it holds one address in each subnet.
    ///
    /// # Errors
    /// Those of [`Vpc::create_eni`].
    pub fn create_endpoint(&mut self, service: &str, subnets: &[SubnetId], now: Time) -> Result<Endpoint, ApiError> {
        let id = self.rng.id("vpce");
        let mut enis = Vec::new();
        for subnet in subnets {
            let new = NewEni {
                description: format!("VPC Endpoint Interface {id}"),
                interface_type: "vpc_endpoint",
                requester_managed: true,
                ..NewEni::in_subnet(subnet.clone())
            };
            enis.push(self.create_eni(new, now)?.id);
        }
        let service = format!("com.amazonaws.{}.{service}", self.config.region);
        let endpoint = Endpoint { id, service, private_dns: true, subnets: subnets.to_vec(), enis, created_at: now };
        self.endpoints.push(endpoint.clone());
        Ok(endpoint)
    }

    /// CreateSecurityGroup: its id.
    pub fn create_security_group(&mut self, name: &str, description: &str) -> String {
        let id = self.rng.id("sg");
        self.security_groups.push(SecurityGroup { id: id.clone(), name: name.into(), description: description.into() });
        id
    }

    /// CreateTags on subnets, ENIs and instances: on all of them, or on none.
    ///
    /// # Errors
    /// The `NotFound` code of the kind of resource; `InvalidID` for an id of another kind.
    pub fn create_tags(&mut self, resources: &[&str], tags: &Tags) -> Result<(), ApiError> {
        for id in resources {
            self.tags_mut(id)?;
        }
        for id in resources {
            self.tags_mut(id)?.extend(tags.clone());
        }
        Ok(())
    }

    fn tags_mut(&mut self, id: &str) -> Result<&mut Tags, ApiError> {
        match id.split('-').next() {
            Some("subnet") => self.subnet_mut(&SubnetId::from(id)).map(|subnet| &mut subnet.tags),
            Some("eni") => self.eni_mut(&EniId::from(id)).map(|eni| &mut eni.tags),
            Some("i") => self.instance_mut(&InstanceId::from(id)).map(|instance| &mut instance.tags),
            _ => Err(ApiError::new("InvalidID", format!("The ID '{id}' is not valid"))),
        }
    }

    pub(super) fn default_group(&self) -> &SecurityGroup {
        &self.security_groups[0]
    }
}
