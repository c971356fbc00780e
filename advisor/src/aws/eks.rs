//! What EKS is asked, and its answers as the doctor's facts.

use headroom_doctor::join::{AccessEntry, AuthenticationMode, ControlPlane};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::api::Api;
use super::endpoint;
use super::error::{AwsError, ErrorClass};
use super::operation::Operation;
use super::rest::{Client, Path};
use super::wire::Service;
use super::xml::Malformed;

/// What EKS says of a thing that is not there.
const NOT_FOUND: &str = "ResourceNotFoundException";

impl Api<'_> {
    /// A cluster; `None` where EKS knows none of that name.
    ///
    /// # Errors
    /// When the region has no endpoint, the call fails or its answer cannot be read.
    pub async fn control_plane(&self, cluster: &str) -> Result<Option<ControlPlane>, AwsError> {
        self.eks(Operation::DescribeCluster, Path::of(&["clusters", cluster]), control_plane).await
    }

    /// The access entry of a principal; `None` where it has none.
    ///
    /// # Errors
    /// As [`Api::control_plane`]; one is that the cluster's authentication mode is `CONFIG_MAP`.
    pub async fn access_entry(&self, cluster: &str, principal: &str) -> Result<Option<AccessEntry>, AwsError> {
        let path = Path::of(&["clusters", cluster, "access-entries", principal]);
        self.eks(Operation::DescribeAccessEntry, path, access_entry).await
    }

    async fn eks<T>(
        &self,
        operation: Operation,
        path: Path,
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<Option<T>, AwsError> {
        let sdk = &self.connection.sdk;
        let endpoint = endpoint::eks(sdk).await.map_err(|why| AwsError {
            operation,
            class: ErrorClass::Other,
            code: None,
            message: format!("there is no endpoint of EKS: {why}"),
            request_id: None,
        })?;
        let service = Service { name: "EKS", signed_as: "eks", endpoint, region: sdk.region().cloned() };
        let client = Client::new(sdk, &service);
        match self.answer(operation, client.get(path), decode).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.code.as_deref() == Some(NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[derive(Deserialize)]
struct DescribeCluster {
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    status: String,
    version: String,
    // Missing while the cluster is being made.
    endpoint: Option<String>,
    resources_vpc_config: VpcConfig,
    access_config: Option<AccessConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcConfig {
    vpc_id: String,
    #[serde(default)]
    security_group_ids: Vec<String>,
    cluster_security_group_id: Option<String>,
    endpoint_public_access: bool,
    endpoint_private_access: bool,
    #[serde(default)]
    public_access_cidrs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessConfig {
    authentication_mode: Option<AuthenticationMode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeAccessEntry {
    access_entry: Entry,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).map_err(|error| Malformed::Json(error.to_string()))
}

fn control_plane(body: &[u8]) -> Result<ControlPlane, Malformed> {
    let DescribeCluster { cluster } = json(body)?;
    let vpc = cluster.resources_vpc_config;
    Ok(ControlPlane {
        status: cluster.status,
        version: cluster.version,
        endpoint: cluster.endpoint.unwrap_or_default(),
        vpc: vpc.vpc_id,
        cluster_security_group: vpc.cluster_security_group_id,
        security_groups: vpc.security_group_ids,
        public_access: vpc.endpoint_public_access,
        public_access_cidrs: vpc.public_access_cidrs,
        private_access: vpc.endpoint_private_access,
        // A cluster from before there were modes says none (EKS user guide, "Change authentication mode to use access entries").
        authentication_mode: cluster
            .access_config
            .and_then(|config| config.authentication_mode)
            .unwrap_or(AuthenticationMode::ConfigMap),
    })
}

fn access_entry(body: &[u8]) -> Result<AccessEntry, Malformed> {
    let DescribeAccessEntry { access_entry } = json(body)?;
    Ok(AccessEntry { kind: access_entry.kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_and_one_from_before_access_entries() {
        let body = r#"{"cluster":{"name":"prod","arn":"a","version":"1.33","endpoint":"https://x","certificateAuthority":{"data":"Y2E="},
            "status":"ACTIVE","resourcesVpcConfig":{"subnetIds":["subnet-1"],"securityGroupIds":["sg-2"],"clusterSecurityGroupId":"sg-1",
            "vpcId":"vpc-1","endpointPublicAccess":true,"endpointPrivateAccess":false,"publicAccessCidrs":["0.0.0.0/0"]},
            "accessConfig":{"authenticationMode":"API_AND_CONFIG_MAP"},"health":{"issues":[]}}}"#;
        let read = control_plane(body.as_bytes()).unwrap();
        let expected = ControlPlane {
            status: "ACTIVE".to_owned(),
            version: "1.33".to_owned(),
            endpoint: "https://x".to_owned(),
            vpc: "vpc-1".to_owned(),
            cluster_security_group: Some("sg-1".to_owned()),
            security_groups: vec!["sg-2".to_owned()],
            public_access: true,
            public_access_cidrs: vec!["0.0.0.0/0".to_owned()],
            private_access: false,
            authentication_mode: AuthenticationMode::ApiAndConfigMap,
        };
        assert_eq!(read, expected);
        let old = body.replace(r#""accessConfig":{"authenticationMode":"API_AND_CONFIG_MAP"},"#, "");
        let old = control_plane(old.as_bytes()).unwrap();
        assert_eq!(old.authentication_mode, AuthenticationMode::ConfigMap);
        // No mode is taken for another.
        let new = body.replace("API_AND_CONFIG_MAP", "SOMETHING_NEW");
        assert!(matches!(control_plane(new.as_bytes()), Err(Malformed::Json(_))));
    }

    #[test]
    fn the_type_of_an_access_entry() {
        let body = r#"{"accessEntry":{"principalArn":"arn:r","kubernetesGroups":["system:nodes"],"type":"EC2_LINUX"}}"#;
        assert_eq!(access_entry(body.as_bytes()), Ok(AccessEntry { kind: "EC2_LINUX".to_owned() }));
    }
}
