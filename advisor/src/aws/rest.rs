//! EKS's protocol: GET a path, JSON out.

use aws_config::SdkConfig;
use aws_smithy_runtime::client::orchestrator::operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use serde::Deserialize;

use super::wire::{self, Refusal, Service};

/// A path, of which each part is encoded.
#[derive(Clone, Debug)]
pub(super) struct Path(String);

impl Path {
    /// `/a/b/c` of its parts.
    pub(super) fn of(parts: &[&str]) -> Path {
        let encoded =
            parts.iter().flat_map(|part| ["/"].into_iter().chain(form_urlencoded::byte_serialize(part.as_bytes())));
        Path(encoded.collect())
    }
}

/// A client of EKS in one region.
#[derive(Clone, Debug)]
pub(super) struct Client(operation::Operation<Path, SdkBody, Refusal>);

impl Client {
    /// One that calls `service` as `sdk` says.
    pub(super) fn new(sdk: &SdkConfig, service: &Service) -> Client {
        Client(wire::client(sdk, service, serialize, refusal))
    }

    /// One call with all its attempts: the body of its answer.
    pub(super) async fn get(&self, path: Path) -> Result<SdkBody, SdkError<Refusal, HttpResponse>> {
        self.0.invoke(path).await
    }
}

fn serialize(path: Path) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_method("GET")?;
    request.set_uri(path.0)?;
    Ok(request)
}

#[derive(Default, Deserialize)]
struct ErrorBody {
    // Both spellings occur.
    #[serde(default, alias = "Message")]
    message: Option<String>,
}

/// The code stands in a header, with more behind a colon (Smithy, "AWS restJson1 protocol", "Operation error serialization").
fn refusal(response: &HttpResponse) -> Refusal {
    let code = response.headers().get("x-amzn-errortype").and_then(|code| code.split(':').next());
    let body: ErrorBody = serde_json::from_slice(response.body().bytes().unwrap_or_default()).unwrap_or_default();
    Refusal::new(code.map(str::to_owned), body.message)
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;

    use super::*;

    #[test]
    fn an_arn_is_one_part_of_a_path() {
        let path = Path::of(&["clusters", "prod", "access-entries", "arn:aws:iam::1:role/a/b"]);
        assert_eq!(path.0, "/clusters/prod/access-entries/arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%2Fb");
    }

    #[test]
    fn a_refusal_has_its_code_in_a_header() {
        let body = SdkBody::from(r#"{"message":"No cluster found for name: x.","clusterName":null}"#);
        let mut response = HttpResponse::new(404.try_into().unwrap(), body);
        response.headers_mut().insert("x-amzn-errortype", "ResourceNotFoundException:http://internal.amazon.com/");
        let refusal = refusal(&response);
        let read = (refusal.code(), refusal.message());
        assert_eq!(read, (Some("ResourceNotFoundException"), Some("No cluster found for name: x.")));
    }
}
