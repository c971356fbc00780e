//! Where each API is, as the SDKs find it: what the program says, then what is said for the service, then what is said for all, then the
//! SDK's rules.

use aws_config::{Region, SdkConfig};
use aws_types::service_config::ServiceConfigKey;
use headroom_reach::{Endpoint, Service};

use super::connect::Connection;

/// The rules of an SDK for its service, in `sdk`'s region.
macro_rules! rule {
    ($sdk:ident, $dual_stack:expr, $crate_name:ident) => {{
        use $crate_name::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
        let params = Params::builder()
            .set_region($sdk.region().map(ToString::to_string))
            .set_use_fips($sdk.use_fips())
            .set_use_dual_stack($dual_stack)
            .build()
            .map_err(|error| error.to_string())?;
        let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.map_err(|error| error.to_string())?;
        endpoint.url().to_owned()
    }};
}

impl Connection {
    /// Where this connection's clients call `service`.
    ///
    /// # Errors
    /// When the SDK has no rule for the region, or what is configured is no URL.
    pub async fn endpoint(&self, service: Service) -> Result<Endpoint, String> {
        let url = url(&self.sdk, service).await?;
        Endpoint::parse(service, &url).map_err(|error| error.to_string())
    }
}

/// The endpoint's URL.
pub(super) async fn url(sdk: &SdkConfig, service: Service) -> Result<String, String> {
    match configured(sdk, id(service)) {
        Some(url) => Ok(url),
        None => by_rule(sdk, service).await,
    }
}

/// EKS, which only the doctor asks.
pub(super) async fn eks(sdk: &SdkConfig) -> Result<String, String> {
    if let Some(url) = configured(sdk, "EKS") {
        return Ok(url);
    }
    // As with EC2, but for FIPS (AWS general reference, "Amazon EKS endpoints": `fips.eks.us-east-1.amazonaws.com`).
    let url = rule!(sdk, sdk.use_dual_stack(), aws_sdk_autoscaling);
    Ok(url.replacen("autoscaling-fips", "fips.eks", 1).replacen("autoscaling", "eks", 1))
}

/// IAM, which only the doctor asks, with the region of its signature: it has one endpoint for all regions of a partition (AWS general
/// reference, "IAM endpoints").
pub(super) fn iam(sdk: &SdkConfig) -> (String, Region) {
    let region = sdk.region().map_or("", Region::as_ref);
    let (url, signed_in) = match region.split('-').next() {
        Some("cn") => ("https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        Some("us") if region.starts_with("us-gov-") => ("https://iam.us-gov.amazonaws.com", "us-gov-west-1"),
        _ => ("https://iam.amazonaws.com", "us-east-1"),
    };
    (configured(sdk, "IAM").unwrap_or_else(|| url.to_owned()), Region::from_static(signed_in))
}

async fn by_rule(sdk: &SdkConfig, service: Service) -> Result<String, String> {
    let dual_stack = sdk.use_dual_stack();
    Ok(match service {
        Service::AutoScaling => rule!(sdk, dual_stack, aws_sdk_autoscaling),
        Service::Sts => rule!(sdk, dual_stack, aws_sdk_sts),
        Service::Monitoring => rule!(sdk, dual_stack, aws_sdk_cloudwatch),
        // Auto Scaling's rules know every partition, FIPS and dual stack, and EC2's differ from them in the first label only (AWS
        // general reference, "Amazon EC2 endpoints" and "Amazon EC2 Auto Scaling endpoints").
        Service::Ec2 => rule!(sdk, dual_stack, aws_sdk_autoscaling).replacen("autoscaling", "ec2", 1),
        // There is none without dual stack (AWS general reference, "Amazon EKS Auth endpoints").
        Service::EksAuth => rule!(sdk, Some(true), aws_sdk_autoscaling).replacen("autoscaling", "eks-auth", 1),
    })
}

/// A service's ID, of which the name of its variable is made.
const fn id(service: Service) -> &'static str {
    match service {
        Service::AutoScaling => "Auto Scaling",
        Service::Ec2 => "EC2",
        Service::Sts => "STS",
        Service::Monitoring => "CloudWatch",
        Service::EksAuth => "EKS Auth",
    }
}

fn configured(sdk: &SdkConfig, id: &str) -> Option<String> {
    let general = sdk.endpoint_url().map(str::to_owned);
    if sdk.get_origin("endpoint_url").is_client_config() {
        return general;
    }
    let key = ServiceConfigKey::builder().service_id(id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let key = key.expect("all three are set");
    sdk.service_config().and_then(|config| config.load_config(key)).or(general)
}

#[cfg(test)]
mod tests {
    use aws_types::service_config::LoadServiceConfig;

    use super::*;

    #[tokio::test]
    async fn each_api_is_where_its_partition_has_it() {
        for (region, fips, dual_stack, service, url) in [
            ("us-west-2", false, false, Service::Ec2, "https://ec2.us-west-2.amazonaws.com"),
            ("cn-north-1", false, false, Service::Ec2, "https://ec2.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", true, false, Service::Ec2, "https://ec2.us-gov-west-1.amazonaws.com"),
            ("us-east-1", true, false, Service::Ec2, "https://ec2-fips.us-east-1.amazonaws.com"),
            ("eu-west-1", false, true, Service::Ec2, "https://ec2.eu-west-1.api.aws"),
            ("us-west-2", false, false, Service::AutoScaling, "https://autoscaling.us-west-2.amazonaws.com"),
            ("us-west-2", false, false, Service::Sts, "https://sts.us-west-2.amazonaws.com"),
            ("us-west-2", false, false, Service::Monitoring, "https://monitoring.us-west-2.amazonaws.com"),
            ("us-west-2", false, false, Service::EksAuth, "https://eks-auth.us-west-2.api.aws"),
        ] {
            let sdk =
                SdkConfig::builder().region(Region::new(region)).use_fips(fips).use_dual_stack(dual_stack).build();
            assert_eq!(super::url(&sdk, service).await.as_deref(), Ok(url));
        }
    }

    #[tokio::test]
    async fn eks_and_iam_are_where_their_partition_has_them() {
        for (region, fips, eks, iam, signed_in) in [
            ("us-west-2", false, "https://eks.us-west-2.amazonaws.com", "https://iam.amazonaws.com", "us-east-1"),
            ("us-east-1", true, "https://fips.eks.us-east-1.amazonaws.com", "https://iam.amazonaws.com", "us-east-1"),
            (
                "cn-northwest-1",
                false,
                "https://eks.cn-northwest-1.amazonaws.com.cn",
                "https://iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                "us-gov-east-1",
                false,
                "https://eks.us-gov-east-1.amazonaws.com",
                "https://iam.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
        ] {
            let sdk = SdkConfig::builder().region(Region::new(region)).use_fips(fips).build();
            assert_eq!(super::eks(&sdk).await.as_deref(), Ok(eks));
            assert_eq!(super::iam(&sdk), (iam.to_owned(), Region::new(signed_in)));
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
        assert_eq!(configured(&all, "EC2").as_deref(), Some("http://all"));
        let ec2 = all.into_builder().service_config(ForEc2).build();
        assert_eq!(configured(&ec2, "EC2").as_deref(), Some("http://ec2"));
        assert_eq!(configured(&ec2, "STS").as_deref(), Some("http://all"));
        assert_eq!(configured(&SdkConfig::builder().build(), "EC2"), None);
    }
}
