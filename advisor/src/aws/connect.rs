//! How AWS is reached: region, credentials, endpoints, deadlines.

use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_autoscaling::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_types::service_config::ServiceConfigKey;
use thiserror::Error;

use super::credentials::Cache;
use super::error::chain;
use super::query;
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
    pub(super) credentials: Cache,
}

impl Connection {
    /// As environment, profile and instance metadata say, where the configuration does not. `AWS_ENDPOINT_URL`,
    /// `AWS_ENDPOINT_URL_EC2`, `AWS_ENDPOINT_URL_AUTO_SCALING` and `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` count.
    ///
    /// # Errors
    /// When there is no region, no credentials, or no endpoint. Credentials that exist and cannot be had at the moment are no error
    /// here: calls will tell.
    pub async fn open(config: &config::Aws) -> Result<Connection, ConnectError> {
        Connection::load(config, aws_config::defaults(BehaviorVersion::latest())).await
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
        let loader = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(endpoint);
        Connection::load(config, loader.credentials_provider(credentials)).await
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

    async fn load(config: &config::Aws, mut loader: ConfigLoader) -> Result<Connection, ConnectError> {
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
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
        check(sdk.credentials_provider()).await?;
        let no_endpoint = |why| ConnectError::NoEndpoint { region, why };
        let ec2 = query::Client::new(&sdk, &ec2_endpoint(&sdk).await.map_err(no_endpoint)?);
        let autoscaling = aws_sdk_autoscaling::Client::new(&sdk);
        Ok(Connection { sdk, ec2, autoscaling, credentials })
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

/// EC2's address, found as the SDKs find that of each service.
async fn ec2_endpoint(sdk: &SdkConfig) -> Result<String, String> {
    if let Some(url) = configured_endpoint(sdk) {
        return Ok(url);
    }
    // The SDK's rules for Auto Scaling know every partition, FIPS and dual stack, and EC2's differ from them in the first label
    // only (AWS general reference, "Amazon EC2 endpoints" and "Amazon EC2 Auto Scaling endpoints").
    let params = Params::builder()
        .set_region(sdk.region().map(ToString::to_string))
        .set_use_fips(sdk.use_fips())
        .set_use_dual_stack(sdk.use_dual_stack())
        .build()
        .map_err(|error| error.to_string())?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.map_err(|error| error.to_string())?;
    Ok(endpoint.url().replacen("autoscaling", "ec2", 1))
}

/// The order of the SDKs: what the program says, then what is said for EC2, then what is said for all services.
fn configured_endpoint(sdk: &SdkConfig) -> Option<String> {
    let general = sdk.endpoint_url().map(str::to_owned);
    if sdk.get_origin("endpoint_url").is_client_config() {
        return general;
    }
    let key = ServiceConfigKey::builder().service_id("EC2").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let key = key.expect("all three are set");
    sdk.service_config().and_then(|config| config.load_config(key)).or(general)
}

#[cfg(test)]
mod tests {
    use aws_types::service_config::LoadServiceConfig;

    use super::*;

    #[tokio::test]
    async fn ec2_is_where_its_partition_has_it() {
        for (region, fips, dual_stack, url) in [
            ("us-west-2", false, false, "https://ec2.us-west-2.amazonaws.com"),
            ("cn-north-1", false, false, "https://ec2.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", true, false, "https://ec2.us-gov-west-1.amazonaws.com"),
            ("us-east-1", true, false, "https://ec2-fips.us-east-1.amazonaws.com"),
            ("eu-west-1", false, true, "https://ec2.eu-west-1.api.aws"),
        ] {
            let sdk =
                SdkConfig::builder().region(Region::new(region)).use_fips(fips).use_dual_stack(dual_stack).build();
            assert_eq!(ec2_endpoint(&sdk).await.as_deref(), Ok(url));
        }
    }

    /// What the environment or a profile says for a service.
    #[derive(Debug)]
    struct ForEc2;

    impl LoadServiceConfig for ForEc2 {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            let asked = (key.service_id(), key.env(), key.profile());
            (asked == ("EC2", "AWS_ENDPOINT_URL", "endpoint_url")).then(|| "http://ec2".to_owned())
        }
    }

    #[test]
    fn an_endpoint_for_ec2_goes_before_one_for_all() {
        let all = SdkConfig::builder().endpoint_url("http://all").build();
        assert_eq!(configured_endpoint(&all).as_deref(), Some("http://all"));
        let ec2 = all.into_builder().service_config(ForEc2).build();
        assert_eq!(configured_endpoint(&ec2).as_deref(), Some("http://ec2"));
        assert_eq!(configured_endpoint(&SdkConfig::builder().build()), None);
    }

    #[tokio::test]
    async fn without_credentials_it_says_what_to_set() {
        let error = check(None).await.unwrap_err().to_string();
        assert!(error.contains("AWS_WEB_IDENTITY_TOKEN_FILE") && error.contains("AWS_ACCESS_KEY_ID"), "{error}");
    }
}
