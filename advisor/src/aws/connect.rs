//! How AWS is reached: region, credentials, endpoints, deadlines.

use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use headroom_reach::Service;
use thiserror::Error;

use super::credentials::Cache;
use super::endpoint;
use super::error::chain;
use super::way::Way;
use super::{query, wire};
use crate::config;

/// Why AWS cannot be called at all.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Nothing says which region.
    #[error("no AWS region: set aws.region in the configuration, or AWS_REGION")]
    NoRegion,
    /// Nothing gives credentials.
    #[error(
        "no AWS credentials ({0}): give the service account a role (EKS Pod Identity, or IRSA, which sets AWS_ROLE_ARN and \
         AWS_WEB_IDENTITY_TOKEN_FILE), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials(String),
    /// The region has no endpoint of EC2 by the SDK's rules.
    #[error(
        "no EC2 endpoint for region '{region}' ({why}): correct aws.region or AWS_REGION, or set AWS_ENDPOINT_URL_EC2"
    )]
    NoEndpoint {
        /// The region.
        region: String,
        /// The SDK's reason.
        why: String,
    },
}

/// Clients of the APIs in one region. Clones share connections, credentials and what the SDK has learnt about the clocks.
#[derive(Clone, Debug)]
pub struct Connection {
    /// What clients of other APIs are made from, with the same credentials and deadlines.
    pub sdk: SdkConfig,
    pub(super) ec2: query::Client,
    pub(super) autoscaling: aws_sdk_autoscaling::Client,
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(super) credentials: Cache,
    pub(crate) way: Way,
}

impl Connection {
    /// As environment, profile and instance metadata say, where the configuration does not. `AWS_ENDPOINT_URL`,
    /// `AWS_ENDPOINT_URL_EC2`, `AWS_ENDPOINT_URL_AUTO_SCALING` and `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` count.
    ///
    /// # Errors
    /// When there is no region, no credentials, or no endpoint. Credentials that exist and cannot be had at the moment are no error
    /// here: calls will tell.
    pub async fn open(config: &config::Aws) -> Result<Connection, ConnectError> {
        let connection = Connection::without_check(config).await?;
        check(connection.sdk.credentials_provider()).await?;
        Ok(connection)
    }

    /// The same where it is no error that there are no credentials: calls will tell.
    ///
    /// # Errors
    /// When there is no region or no endpoint.
    pub async fn without_check(config: &config::Aws) -> Result<Connection, ConnectError> {
        Connection::load(config, aws_config::defaults(BehaviorVersion::latest()), Way::machine()).await
    }

    /// With every API at `endpoint`, and with these credentials.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub async fn at(
        config: &config::Aws,
        endpoint: &str,
        credentials: impl ProvideCredentials + 'static,
    ) -> Result<Connection, ConnectError> {
        Connection::by(Way::machine(), config, endpoint, credentials).await
    }

    /// The same by another way than the machine's.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub async fn by(
        way: Way,
        config: &config::Aws,
        endpoint: &str,
        credentials: impl ProvideCredentials + 'static,
    ) -> Result<Connection, ConnectError> {
        let loader = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(endpoint);
        let connection = Connection::load(config, loader.credentials_provider(credentials), way).await?;
        check(connection.sdk.credentials_provider()).await?;
        Ok(connection)
    }

    /// How long the credentials that were used last are good for; `None` where they do not end, or none were used yet.
    #[must_use]
    pub fn credentials_last(&self) -> Option<Duration> {
        let expire_at = self.credentials.expire_at()?;
        Some(expire_at.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// The next call asks for new credentials.
    pub fn renew_credentials(&self) {
        self.credentials.empty();
    }

    async fn load(config: &config::Aws, mut loader: ConfigLoader, way: Way) -> Result<Connection, ConnectError> {
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(client) = &way.client {
            loader = loader.http_client(client.clone());
        }
        let credentials = Cache::new();
        let app = AppName::new("headroom-advisor").expect("letters and a dash are allowed");
        let sdk = loader
            .app_name(app)
            .timeout_config(timeouts(config))
            .retry_config(RetryConfig::standard().with_max_attempts(config.max_attempts))
            .identity_cache(credentials.clone())
            .load()
            .await;
        let region = sdk.region().ok_or(ConnectError::NoRegion)?.to_string();
        let no_endpoint = |why| ConnectError::NoEndpoint { region, why };
        let ec2 = wire::Service {
            name: "EC2",
            signed_as: "ec2",
            endpoint: endpoint::url(&sdk, Service::Ec2).await.map_err(no_endpoint)?,
            region: sdk.region().cloned(),
        };
        let ec2 = query::Client::new(&sdk, &ec2, query::EC2);
        let autoscaling = aws_sdk_autoscaling::Client::new(&sdk);
        let sts = aws_sdk_sts::Client::new(&sdk);
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&sdk);
        Ok(Connection { sdk, ec2, autoscaling, sts, cloudwatch, credentials, way })
    }
}

fn timeouts(config: &config::Aws) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
        .operation_attempt_timeout(Duration::from_millis(config.attempt_timeout_ms))
        .operation_timeout(Duration::from_millis(config.call_timeout_ms))
        .build()
}

/// Whether there are credentials at all. A provider that is there and fails (STS is down, a proxy is in the way) may recover, and
/// the parts that need no AWS should run meanwhile.
async fn check(provider: Option<SharedCredentialsProvider>) -> Result<(), ConnectError> {
    let Some(provider) = provider else { return Err(ConnectError::NoCredentials("no provider".to_owned())) };
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        Err(error @ (CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_))) => {
            Err(ConnectError::NoCredentials(chain(&error)))
        }
        Err(error) => {
            tracing::warn!(error = chain(&error), "AWS credentials cannot be had at the moment");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_credentials_it_says_what_to_set() {
        let error = check(None).await.unwrap_err().to_string();
        assert!(error.contains("AWS_WEB_IDENTITY_TOKEN_FILE") && error.contains("AWS_ACCESS_KEY_ID"), "{error}");
    }
}
