//! The Query protocol of EC2 and IAM: a form in, XML out.
//!
//! aws-sdk-ec2 has all 800 operations and costs minutes and gigabytes in every build; a few are needed here.

use aws_config::SdkConfig;
use aws_smithy_runtime::client::orchestrator::operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;

use super::operation::Operation;
use super::wire::{self, Refusal, Service};
use super::xml::{Malformed, Xml};

/// EC2's only version since 2016 (EC2 API reference, "Query requests").
pub(super) const EC2: &str = "2016-11-15";
/// IAM's only version (IAM API reference, "Making query requests").
pub(super) const IAM: &str = "2010-05-08";

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

    fn encode(&self, version: &str) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", self.operation.label()).append_pair("Version", version);
        form.extend_pairs(&self.pairs).finish()
    }
}

/// Reads EC2's `Response/Errors/Error` or the others' `ErrorResponse/Error`.
fn refusal(body: &[u8]) -> Refusal {
    let (mut code, mut message) = (None, None);
    let read = Xml::root(body, |xml| {
        xml.each(|xml, name| match name {
            "Errors" => xml.each(|xml, _| error(xml, &mut code, &mut message)),
            "Error" => error(xml, &mut code, &mut message),
            _ => xml.skip(),
        })
    });
    if let Err(error) = read {
        tracing::debug!(%error, "the error answer is not one of this API");
    }
    Refusal::new(code, message)
}

fn error(xml: &mut Xml<'_>, code: &mut Option<String>, message: &mut Option<String>) -> Result<(), Malformed> {
    xml.each(|xml, name| {
        match name {
            "Code" => *code = xml.some_text()?,
            "Message" => *message = xml.some_text()?,
            _ => xml.skip()?,
        }
        Ok(())
    })
}

/// A client of one Query API.
#[derive(Clone, Debug)]
pub(super) struct Client(operation::Operation<Form, SdkBody, Refusal>);

impl Client {
    /// One that calls `service` as `sdk` says, in that version of its API.
    pub(super) fn new(sdk: &SdkConfig, service: &Service, version: &'static str) -> Client {
        let refused = |response: &HttpResponse| refusal(response.body().bytes().unwrap_or_default());
        Client(wire::client(sdk, service, move |form: Form| serialize(&form, version), refused))
    }

    /// One call with all its attempts: the body of its answer.
    pub(super) async fn ask(&self, form: Form) -> Result<SdkBody, SdkError<Refusal, HttpResponse>> {
        self.0.invoke(form).await
    }
}

fn serialize(form: &Form, version: &str) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(form.encode(version)));
    request.set_method("POST")?;
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded");
    Ok(request)
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;

    use super::*;

    #[test]
    fn a_form_numbers_its_filters_and_their_values() {
        let form = Form::new(Operation::DescribeSubnets).with("MaxResults", 5);
        let form = form.filter("vpc-id", ["vpc-1"]).filter("tag:a b", ["x&y", "z"]);
        assert_eq!(
            form.encode(EC2),
            "Action=DescribeSubnets&Version=2016-11-15&MaxResults=5&Filter.1.Value.1=vpc-1&Filter.1.Name=vpc-id\
             &Filter.2.Value.1=x%26y&Filter.2.Value.2=z&Filter.2.Name=tag%3Aa+b"
        );
    }

    #[test]
    fn a_refusal_is_read_or_has_no_code() {
        let body = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>RequestLimitExceeded</Code>\
                    <Message>Request limit exceeded.</Message></Error></Errors><RequestID>1</RequestID></Response>";
        let iam = "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
                   <Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></ErrorResponse>";
        for body in [body, iam] {
            let refusal = refusal(body.as_bytes());
            let read = (refusal.code(), refusal.message());
            assert_eq!(read, (Some("RequestLimitExceeded"), Some("Request limit exceeded.")));
        }
        assert_eq!(refusal(b"<html><b>502 Bad Gateway").code(), None);
    }
}
