//! The Query protocol: a form in, XML out.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::Response;
use headroom_capacity::time::Time;

use super::params::Params;
use super::xml::{Map, Xml, document, text};
use super::{ec2, groups, sts};
use crate::aws::{ApiError, Service, Vpc};

/// What an operation does. `None` as the answer is an operation without a result.
pub(super) type Operation = fn(&mut Vpc, &Params, Time) -> Result<Option<Map>, ApiError>;

/// A request of one of the Query APIs.
pub(super) struct Request {
    pub(super) service: Service,
    pub(super) operation: String,
    params: Params,
}

/// XML namespace of an API; its last part is the API's version.
const fn namespace(service: Service) -> &'static str {
    match service {
        Service::AutoScaling => "http://autoscaling.amazonaws.com/doc/2011-01-01/",
        Service::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        Service::Ec2 | Service::CloudWatch => "http://ec2.amazonaws.com/doc/2016-11-15/",
    }
}

fn service_of(version: &str) -> Option<Service> {
    match version {
        "2016-11-15" => Some(Service::Ec2),
        "2011-01-01" => Some(Service::AutoScaling),
        "2011-06-15" => Some(Service::Sts),
        _ => None,
    }
}

impl Request {
    /// Reads the form of a POST, or the query of a GET.
    pub(super) fn parse(method: &Method, uri: &Uri, body: &Bytes) -> Result<Request, ApiError> {
        let encoded: &[u8] = if *method == Method::POST { body } else { uri.query().unwrap_or_default().as_bytes() };
        let values: BTreeMap<String, String> = form_urlencoded::parse(encoded).into_owned().collect();
        let Some(operation) = values.get("Action").cloned() else {
            let message = "Request is missing Authentication Token";
            return Err(ApiError::new("MissingAuthenticationToken", message).status(403));
        };
        let version = values.get("Version").map(String::as_str).unwrap_or_default();
        let service = service_of(version).ok_or_else(|| {
            let message = format!("The requested version ({version}) of the API is not served here");
            ApiError::new("NoSuchVersion", message)
        })?;
        Ok(Request { service, operation, params: Params::new(values, service) })
    }

    pub(super) fn run(&self, vpc: &mut Vpc, now: Time) -> Result<(Option<Map>, String), ApiError> {
        let operation = match self.service {
            Service::AutoScaling => groups::operation(&self.operation),
            Service::Sts => sts::operation(&self.operation),
            Service::Ec2 | Service::CloudWatch => ec2::operation(&self.operation),
        };
        let operation = operation.ok_or_else(|| {
            let message = format!("The action {} is not valid for this web service.", self.operation);
            ApiError::new("InvalidAction", message)
        })?;
        let request_id = vpc.rng.uuid();
        if self.service == Service::Ec2 && self.params.flag("DryRun")? {
            let message = "Request would have succeeded, but DryRun flag is set.";
            return Err(ApiError::new("DryRunOperation", message).status(412));
        }
        if self.service == Service::Ec2 && vpc.short_pages(&self.operation, now) {
            return operation(vpc, &self.params.with_short_pages(), now).map(|answer| (answer, request_id));
        }
        operation(vpc, &self.params, now).map(|answer| (answer, request_id))
    }

    pub(super) fn respond(&self, result: Result<(Option<Map>, String), ApiError>) -> Response {
        match result {
            Ok((answer, request_id)) => self.success(answer, request_id),
            Err(error) if self.service == Service::Ec2 => ec2_error(&error),
            Err(error) => failure(&error, Some(namespace(self.service))),
        }
    }

    fn success(&self, answer: Option<Map>, request_id: String) -> Response {
        let content = if self.service == Service::Ec2 {
            let answer = answer.unwrap_or_else(|| Map::new().text("return", true));
            answer.first("requestId", text(request_id))
        } else {
            let metadata = Map::new().text("RequestId", request_id);
            let body = Map::new().put("ResponseMetadata", metadata);
            match answer {
                Some(answer) => body.first(format!("{}Result", self.operation), answer.into()),
                None => body,
            }
        };
        let root = format!("{}Response", self.operation);
        xml(StatusCode::OK, document(&root, Some(namespace(self.service)), &content.into()))
    }
}

/// The answer to a request that is of no API: in the envelope that most APIs share.
pub(super) fn no_service(error: &ApiError) -> Response {
    failure(error, None)
}

const NO_REQUEST: &str = "00000000-0000-4000-a000-000000000000";

fn ec2_error(error: &ApiError) -> Response {
    let one: Xml = Map::new().text("Code", error.code).text("Message", &error.message).into();
    let errors = Map::new().put("Error", one);
    let body = Map::new().put("Errors", errors).text("RequestID", NO_REQUEST);
    xml(status(error), document("Response", None, &body.into()))
}

fn failure(error: &ApiError, namespace: Option<&str>) -> Response {
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    let one = Map::new().text("Type", fault).text("Code", error.code).text("Message", &error.message);
    let body = Map::new().put("Error", one).text("RequestId", NO_REQUEST);
    xml(status(error), document("ErrorResponse", namespace, &body.into()))
}

pub(super) fn status(error: &ApiError) -> StatusCode {
    StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn xml(status: StatusCode, document: String) -> Response {
    let mut response = Response::new(Body::from(document));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/xml;charset=UTF-8"));
    response
}
