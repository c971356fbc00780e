//! What EC2 and IAM are asked for `doctor join`.

use std::net::Ipv4Addr;

use headroom_capacity::time::Time;
use headroom_doctor::join::{Image, Machine, Route, SecurityGroup, Subnet, VpcDns};

use super::api::Api;
use super::decode;
use super::ec2::PAGE;
use super::endpoint;
use super::error::AwsError;
use super::operation::Operation;
use super::query::{self, Client, Form};
use super::wire::Service;

impl Api<'_> {
    /// An instance in whatever state; `None` where EC2 knows none with that ID. By filter, so that an unknown one is no error.
    ///
    /// # Errors
    /// Here and below: when a call fails or its answer cannot be read.
    pub async fn machine(&self, id: &str, now: Time) -> Result<Option<Machine>, AwsError> {
        let form = Form::new(Operation::DescribeInstances).filter("instance-id", [id]);
        Ok(self.listing(form, |body| decode::machines(body, now)).await?.pop())
    }

    /// An instance's user data in base64; empty where it has none.
    ///
    /// # Errors
    /// As above.
    pub async fn user_data(&self, id: &str) -> Result<String, AwsError> {
        let form = Form::new(Operation::DescribeInstanceAttribute).with("InstanceId", id).with("Attribute", "userData");
        self.call(form, decode::user_data).await
    }

    /// An image; `None` where it is gone, or this account may not see it.
    ///
    /// # Errors
    /// As above.
    pub async fn image(&self, id: &str) -> Result<Option<Image>, AwsError> {
        let form = Form::new(Operation::DescribeImages).filter("image-id", [id]);
        Ok(self.listing(form, decode::images).await?.pop())
    }

    /// Security groups with their rules.
    ///
    /// # Errors
    /// As above.
    pub async fn group_rules(&self, ids: &[&str]) -> Result<Vec<SecurityGroup>, AwsError> {
        let form = Form::new(Operation::DescribeSecurityGroups).with("MaxResults", PAGE).filter("group-id", ids);
        self.listing(form, decode::group_rules).await
    }

    /// A subnet with its tags `kubernetes.io/cluster/*`.
    ///
    /// # Errors
    /// As above.
    pub async fn subnet_of_cluster(&self, id: &str) -> Result<Subnet, AwsError> {
        let form = Form::new(Operation::DescribeSubnets).filter("subnet-id", [id]);
        let tags = self.listing(form, decode::subnets).await?.pop().map(|subnet| subnet.tags).unwrap_or_default();
        let cluster_tags = tags.into_iter().filter(|(key, _)| key.starts_with(decode::CLUSTER_TAGS)).collect();
        Ok(Subnet { id: id.to_owned(), cluster_tags })
    }

    /// Where a subnet sends what is for everybody else: by its own route table, or by the VPC's main one (VPC user guide, "Route table
    /// concepts").
    ///
    /// # Errors
    /// As above.
    pub async fn default_route(&self, subnet: &str, vpc: &str) -> Result<Option<Route>, AwsError> {
        let tables = || Form::new(Operation::DescribeRouteTables);
        let own = self.listing(tables().filter("association.subnet-id", [subnet]), decode::default_routes).await?;
        if let Some(route) = own.into_iter().next() {
            return Ok(route);
        }
        let main = tables().filter("association.main", ["true"]).filter("vpc-id", [vpc]);
        Ok(self.listing(main, decode::default_routes).await?.into_iter().next().flatten())
    }

    /// A VPC's DNS attributes, one call for each.
    ///
    /// # Errors
    /// As above.
    pub async fn vpc_dns(&self, vpc: &str) -> Result<VpcDns, AwsError> {
        let read = async |attribute: &'static str| {
            let form = Form::new(Operation::DescribeVpcAttribute).with("VpcId", vpc).with("Attribute", attribute);
            self.call(form, |body| decode::vpc_attribute(body, attribute)).await
        };
        Ok(VpcDns { support: read("enableDnsSupport").await?, hostnames: read("enableDnsHostnames").await? })
    }

    /// The services that a VPC has an endpoint of which nodes use by the services' usual names: `ec2`, `ecr.api`, `s3`.
    ///
    /// # Errors
    /// As above.
    pub async fn endpoint_services(&self, vpc: &str, region: &str) -> Result<Vec<String>, AwsError> {
        let endpoints = self.endpoints(vpc).await?.into_iter();
        // A gateway endpoint works by routes and has no names.
        let used = endpoints.filter(|endpoint| endpoint.available && (endpoint.private_dns || !endpoint.interface));
        let name = |service: &str| Some(service.split_once(&format!(".{region}."))?.1.to_owned());
        Ok(used.filter_map(|endpoint| name(&endpoint.service)).collect())
    }

    /// The addresses of the ENIs by which a control plane is in its VPC (EKS user guide, "VPC and subnet requirements": `Amazon EKS
    /// <cluster>` in their description).
    ///
    /// # Errors
    /// As above.
    pub async fn control_plane_ips(&self, cluster: &str, vpc: &str) -> Result<Vec<Ipv4Addr>, AwsError> {
        let form = Form::new(Operation::DescribeNetworkInterfaces).with("MaxResults", PAGE);
        let form = form.filter("vpc-id", [vpc]).filter("description", [format!("Amazon EKS {cluster}")]);
        Ok(self.listing(form, decode::enis).await?.into_iter().filter_map(|eni| eni.primary_ip).collect())
    }

    /// The ARN of the role of an instance profile; `None` where it has none.
    ///
    /// # Errors
    /// As above.
    pub async fn profile_role(&self, profile: &str) -> Result<Option<String>, AwsError> {
        let sdk = &self.connection.sdk;
        let (endpoint, region) = endpoint::iam(sdk);
        let service = Service { name: "IAM", signed_as: "iam", endpoint, region: Some(region) };
        let client = Client::new(sdk, &service, query::IAM);
        let form = Form::new(Operation::GetInstanceProfile).with("InstanceProfileName", profile);
        self.answer(form.operation, client.ask(form), decode::profile_role).await
    }
}
