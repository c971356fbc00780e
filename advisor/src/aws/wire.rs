//! A client of an AWS API on the SDK's own stack: its credentials, signing, connections, retries and deadlines, without its generated
//! operations.

use std::fmt;

use aws_config::{Region, SdkConfig};
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::{
    DisableClockSkewCorrection, ServiceClockSkewClassifier, ServiceClockSkewInterceptor,
};
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

/// An API as a client has to know it.
#[derive(Clone, Debug)]
pub(super) struct Service {
    /// Its name for people and logs.
    pub(super) name: &'static str,
    /// Its name in a signature.
    pub(super) signed_as: &'static str,
    /// Where it is called.
    pub(super) endpoint: String,
    /// The region of its signature.
    pub(super) region: Option<Region>,
}

/// An error answer.
#[derive(Debug)]
pub(super) struct Refusal(ErrorMetadata);

impl Refusal {
    /// What is no answer of the API, a proxy's page for example, is a refusal without a code.
    pub(super) fn new(code: Option<String>, message: Option<String>) -> Refusal {
        let mut meta = ErrorMetadata::builder();
        if let Some(code) = code {
            meta = meta.code(code);
        }
        if let Some(message) = message {
            meta = meta.message(message);
        }
        Refusal(meta.build())
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// One that calls `service` as `sdk` says: `serialize` makes a request of an input, `refusal` reads an error answer, and what any
/// other holds is given as it is.
pub(super) fn client<I>(
    sdk: &SdkConfig,
    service: &Service,
    serialize: impl Fn(I) -> Result<HttpRequest, BoxError> + Send + Sync + 'static,
    refusal: fn(&HttpResponse) -> Refusal,
) -> Operation<I, SdkBody, Refusal>
where
    I: fmt::Debug + Send + Sync + 'static,
{
    let mut builder = Operation::builder()
        .service_name(service.name)
        .operation_name("Any")
        .endpoint_url(&service.endpoint)
        .standard_retry(&sdk.retry_config().cloned().unwrap_or_else(RetryConfig::standard))
        .retry_classifier(TransientErrorClassifier::<Refusal>::new())
        .retry_classifier(AwsErrorCodeClassifier::<Refusal>::new())
        .retry_classifier(HttpStatusCodeClassifier::default())
        .retry_classifier(ServiceClockSkewClassifier::<Refusal>::new())
        .interceptor(ServiceClockSkewInterceptor::new())
        .interceptor(RequestInfoInterceptor::new())
        .interceptor(UserAgentInterceptor::new())
        .interceptor(InvocationIdInterceptor::new())
        .with_connection_poisoning()
        .timeout_config(sdk.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
        .runtime_plugin(signing(sdk, service));
    if let Some(version) = sdk.behavior_version() {
        builder = builder.behavior_version(version);
    }
    if let Some(http_client) = sdk.http_client() {
        builder = builder.http_client(http_client);
    }
    builder.serializer(serialize).deserializer(move |response: &HttpResponse| deserialize(response, refusal)).build()
}

/// Signature Version 4 for `service` with `sdk`'s credentials.
fn signing(sdk: &SdkConfig, service: &Service) -> StaticRuntimePlugin {
    let mut layer = Layer::new(service.name);
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: service.region.clone().map(Into::into),
        region_set: None,
        name: Some(service.signed_as.into()),
        signing_options: SigningOptions::default(),
    });
    layer.store_put(ApiMetadata::new(service.signed_as, env!("CARGO_PKG_VERSION")));
    layer.store_or_unset(sdk.app_name().cloned());
    layer.store_or_unset(sdk.disable_clock_skew_correction().map(DisableClockSkewCorrection::from));
    let mut components = RuntimeComponentsBuilder::new(service.name)
        .with_auth_scheme(SigV4AuthScheme::new())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .with_identity_cache(sdk.identity_cache())
        .with_sleep_impl(sdk.sleep_impl())
        .with_time_source(sdk.time_source());
    if let Some(provider) = sdk.credentials_provider() {
        components = components.with_identity_resolver(SCHEME_ID, provider);
    }
    StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components)
}

fn deserialize(
    response: &HttpResponse,
    refusal: fn(&HttpResponse) -> Refusal,
) -> Result<SdkBody, OrchestratorError<Refusal>> {
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(refusal(response)));
    }
    // It is in memory by now, so that a clone shares it.
    let body = response.body();
    Ok(body.try_clone().unwrap_or_else(|| SdkBody::from(body.bytes().unwrap_or_default())))
}
