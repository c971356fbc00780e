//! EC2's Query protocol on the SDK's own stack: a form in, XML out, with the SDK's credentials, signing, connections, retries and
//! deadlines.
//!
//! aws-sdk-ec2 has all 800 operations and costs minutes and gigabytes in every build; ten are needed here.

use std::fmt;

use aws_config::SdkConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::{
    DisableClockSkewCorrection, ServiceClockSkewClassifier, ServiceClockSkewInterceptor,
};
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_runtime::client::orchestrator::operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::operation::Operation;
use super::xml::Xml;

/// EC2's only version since 2016 (EC2 API reference, "Query requests").
const VERSION: &str = "2016-11-15";

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) operation: Operation,
    pairs: Vec<(String, String)>,
    filters: usize,
}

impl Form {
    pub(super) fn new(operation: Operation) -> Form {
        Form { operation, pairs: Vec::new(), filters: 0 }
    }

    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Form {
        self.pairs.push((name.to_owned(), value.to_string()));
        self
    }

    /// Only what has one of `values` there. EC2 takes 200 values in all filters of a request.
    pub(super) fn filter<T: ToString>(mut self, name: &str, values: impl IntoIterator<Item = T>) -> Form {
        self.filters += 1;
        let filter = format!("Filter.{}", self.filters);
        for (index, value) in values.into_iter().enumerate() {
            self = self.with(&format!("{filter}.Value.{}", index + 1), value);
        }
        self.with(&format!("{filter}.Name"), name)
    }

    fn encode(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", self.operation.label()).append_pair("Version", VERSION);
        form.extend_pairs(&self.pairs).finish()
    }
}

/// An error answer.
#[derive(Debug)]
pub(super) struct Refusal(ErrorMetadata);

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

impl Refusal {
    /// Reads `Response/Errors/Error`. What is no such answer, a proxy's page for example, is a refusal without a code.
    fn read(body: &[u8]) -> Refusal {
        let (mut code, mut message) = (None, None);
        let read = Xml::root(body, |xml| {
            xml.each(|xml, name| if name == "Errors" { first_error(xml, &mut code, &mut message) } else { xml.skip() })
        });
        if let Err(error) = read {
            tracing::debug!(%error, "the error answer is not one of EC2");
        }
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

fn first_error(
    xml: &mut Xml<'_>,
    code: &mut Option<String>,
    message: &mut Option<String>,
) -> Result<(), super::xml::Malformed> {
    xml.each(|xml, _| {
        xml.each(|xml, name| {
            match name {
                "Code" => *code = xml.some_text()?,
                "Message" => *message = xml.some_text()?,
                _ => xml.skip()?,
            }
            Ok(())
        })
    })
}

/// A client of EC2 in one region.
#[derive(Clone, Debug)]
pub(super) struct Client(operation::Operation<Form, SdkBody, Refusal>);

impl Client {
    /// One that calls `endpoint` as `sdk` says.
    pub(super) fn new(sdk: &SdkConfig, endpoint: &str) -> Client {
        let mut builder = operation::Operation::builder()
            .service_name("EC2")
            .operation_name("Query")
            .endpoint_url(endpoint)
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
            .runtime_plugin(signing(sdk));
        if let Some(version) = sdk.behavior_version() {
            builder = builder.behavior_version(version);
        }
        if let Some(http_client) = sdk.http_client() {
            builder = builder.http_client(http_client);
        }
        Client(builder.serializer(serialize).deserializer(deserialize).build())
    }

    /// One call with all its attempts: the body of its answer.
    pub(super) async fn ask(&self, form: Form) -> Result<SdkBody, SdkError<Refusal, HttpResponse>> {
        self.0.invoke(form).await
    }
}

/// Signature Version 4 for `ec2` in `sdk`'s region with `sdk`'s credentials.
fn signing(sdk: &SdkConfig) -> StaticRuntimePlugin {
    let mut layer = Layer::new("EC2");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: sdk.region().cloned().map(Into::into),
        region_set: None,
        name: Some("ec2".into()),
        signing_options: SigningOptions::default(),
    });
    layer.store_put(ApiMetadata::new("ec2", env!("CARGO_PKG_VERSION")));
    layer.store_or_unset(sdk.app_name().cloned());
    layer.store_or_unset(sdk.disable_clock_skew_correction().map(DisableClockSkewCorrection::from));
    let mut components = RuntimeComponentsBuilder::new("EC2")
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

fn serialize(form: Form) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(form.encode()));
    request.set_method("POST")?;
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded");
    Ok(request)
}

fn deserialize(response: &HttpResponse) -> Result<SdkBody, OrchestratorError<Refusal>> {
    let body = response.body().bytes().unwrap_or_default();
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(Refusal::read(body)));
    }
    // It is in memory by now, so that a clone shares it.
    Ok(response.body().try_clone().unwrap_or_else(|| SdkBody::from(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_numbers_its_filters_and_their_values() {
        let form = Form::new(Operation::DescribeSubnets).with("MaxResults", 5);
        let form = form.filter("vpc-id", ["vpc-1"]).filter("tag:a b", ["x&y", "z"]);
        assert_eq!(
            form.encode(),
            "Action=DescribeSubnets&Version=2016-11-15&MaxResults=5&Filter.1.Value.1=vpc-1&Filter.1.Name=vpc-id\
             &Filter.2.Value.1=x%26y&Filter.2.Value.2=z&Filter.2.Name=tag%3Aa+b"
        );
    }

    #[test]
    fn a_refusal_is_read_or_has_no_code() {
        let body = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>RequestLimitExceeded</Code>\
                    <Message>Request limit exceeded.</Message></Error></Errors><RequestID>1</RequestID></Response>";
        let refusal = Refusal::read(body.as_bytes());
        assert_eq!(
            (refusal.code(), refusal.message()),
            (Some("RequestLimitExceeded"), Some("Request limit exceeded."))
        );
        assert_eq!(Refusal::read(b"<html><b>502 Bad Gateway").code(), None);
    }
}
