//! What EC2 is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::ids::{EniId, SubnetId};
use headroom_capacity::subnet::Cidr;

use super::api::Api;
use super::decode::{self, InstanceRow, SecurityGroup};
use super::error::AwsError;
use super::operation::Operation;
use super::query::Form;
use crate::inventory::{Endpoint, Eni, InstanceId, Offer, Reservation, Subnet};

/// Rows on a page, the most that EC2 gives (EC2 API reference, `MaxResults` of each operation).
pub(super) const PAGE: u32 = 1000;
/// The same for instance types.
pub(super) const TYPES_PAGE: u32 = 100;
/// IDs or names in one request. EC2 takes 200 values in a filter (EC2 user guide, "List and filter using the CLI and API").
pub(super) const BATCH: usize = 100;

/// Every state but `terminated`, whose instances hold nothing any more.
const STATES: [&str; 5] = ["pending", "running", "shutting-down", "stopping", "stopped"];

fn paged(operation: Operation) -> Form {
    Form::new(operation).with("MaxResults", PAGE)
}

/// `kubernetes.io/cluster/<name>`, on instances and groups of the cluster.
pub(super) fn cluster_tag(cluster: &str) -> String {
    format!("kubernetes.io/cluster/{cluster}")
}

impl Api<'_> {
    /// The VPC's subnets that have an IPv4 block.
    pub(super) async fn subnets(&self, vpc: &str) -> Result<Vec<Subnet>, AwsError> {
        let form = paged(Operation::DescribeSubnets).filter("vpc-id", [vpc]);
        self.listing(form, decode::subnets).await
    }

    /// The IPv4 reservations of each subnet, one call for each, one after the other.
    pub(super) async fn reservations(
        &self,
        subnets: impl Iterator<Item = SubnetId>,
    ) -> Result<BTreeMap<SubnetId, Vec<Reservation>>, AwsError> {
        let mut all = BTreeMap::new();
        for subnet in subnets {
            let form = paged(Operation::GetSubnetCidrReservations).with("SubnetId", &subnet);
            all.insert(subnet, self.listing(form, decode::reservations).await?);
        }
        Ok(all)
    }

    /// Every ENI in the VPC, by ID: while pages are read ENIs come and go, and one may be on two of them.
    pub(super) async fn enis(&self, vpc: &str) -> Result<Vec<Eni>, AwsError> {
        let form = paged(Operation::DescribeNetworkInterfaces).filter("vpc-id", [vpc]);
        let mut enis = self.listing(form, decode::enis).await?;
        enis.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        enis.dedup_by(|a, b| a.id == b.id);
        Ok(enis)
    }

    /// Instances with the cluster's tag, whatever its value, terminated ones left out.
    pub(super) async fn instances(&self, cluster: &str) -> Result<Vec<InstanceRow>, AwsError> {
        let tag = cluster_tag(cluster);
        let form = paged(Operation::DescribeInstances).filter("tag-key", [&tag]).filter("instance-state-name", STATES);
        self.listing(form, |body| decode::instances(body, &tag)).await
    }

    /// Those of `ids` that exist and are not terminated. By filter: naming an instance that is gone would fail the whole call.
    pub(super) async fn instances_by_id(
        &self,
        ids: &[InstanceId],
        cluster: &str,
    ) -> Result<Vec<InstanceRow>, AwsError> {
        let (tag, mut rows) = (cluster_tag(cluster), Vec::new());
        for batch in ids.chunks(BATCH) {
            let form =
                paged(Operation::DescribeInstances).filter("instance-id", batch).filter("instance-state-name", STATES);
            rows.extend(self.listing(form, |body| decode::instances(body, &tag)).await?);
        }
        Ok(rows)
    }

    /// Every instance type that the region offers, earlier generations included: nodes of theirs still run.
    pub(super) async fn offers(&self) -> Result<Vec<(Arc<str>, Offer)>, AwsError> {
        self.listing(Form::new(Operation::DescribeInstanceTypes).with("MaxResults", TYPES_PAGE), decode::offers).await
    }

    /// Those of `names` that EC2 knows. By filter, as with instances.
    pub(super) async fn offers_by_name(&self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Offer)>, AwsError> {
        let mut offers = Vec::new();
        for batch in names.chunks(BATCH) {
            let form = Form::new(Operation::DescribeInstanceTypes).with("MaxResults", TYPES_PAGE);
            offers.extend(self.listing(form.filter("instance-type", batch), decode::offers).await?);
        }
        Ok(offers)
    }

    /// The VPC's IPv4 blocks. By ID, so that a wrong `aws.vpc_id` is an error and not an empty VPC.
    pub(super) async fn vpc_cidrs(&self, vpc: &str) -> Result<Vec<Cidr>, AwsError> {
        let form = Form::new(Operation::DescribeVpcs).with("VpcId.1", vpc);
        Ok(self.listing(form, decode::vpc_cidrs).await?.into_iter().flatten().collect())
    }

    /// The VPC's endpoints.
    pub(super) async fn endpoints(&self, vpc: &str) -> Result<Vec<Endpoint>, AwsError> {
        let form = paged(Operation::DescribeVpcEndpoints).filter("vpc-id", [vpc]);
        self.listing(form, decode::endpoints).await
    }

    /// The VPC's security groups.
    ///
    /// # Errors
    /// When a page cannot be had or read.
    pub async fn security_groups(&self, vpc: &str) -> Result<Vec<SecurityGroup>, AwsError> {
        let form = paged(Operation::DescribeSecurityGroups).filter("vpc-id", [vpc]);
        self.listing(form, decode::security_groups).await
    }

    /// One ENI as it is now; `None` once it is gone.
    ///
    /// # Errors
    /// When the call fails or its answer cannot be read.
    pub async fn eni(&self, id: &EniId) -> Result<Option<Eni>, AwsError> {
        let form = paged(Operation::DescribeNetworkInterfaces).filter("network-interface-id", [id]);
        Ok(self.listing(form, decode::enis).await?.pop())
    }
}
