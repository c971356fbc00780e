//! Calls, one by one and page by page, each with its record.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;

use super::connect::Connection;
use super::error::{AwsError, ErrorClass};
use super::operation::{CallRecord, Operation};
use super::query::Form;
use super::wire::Refusal;
use super::xml::{Malformed, Page};

/// Pages of a listing that are read at most: far more than any account has, and an end for an API that has none.
const MOST_PAGES: usize = 10_000;

/// The operations on one connection, and what became of each call.
#[derive(Debug)]
pub struct Api<'a> {
    pub(super) connection: &'a Connection,
    records: Mutex<Vec<CallRecord>>,
}

impl<'a> Api<'a> {
    /// With no calls yet.
    #[must_use]
    pub fn new(connection: &'a Connection) -> Api<'a> {
        Api { connection, records: Mutex::default() }
    }

    /// The region that is read; empty where it is not known.
    #[must_use]
    pub fn region(&self) -> &str {
        self.connection.sdk.region().map_or("", |region| region.as_ref())
    }

    /// The calls so far, in the order in which they ended.
    #[must_use]
    pub fn into_records(self) -> Vec<CallRecord> {
        self.records.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call of EC2 with all its attempts, and its answer as `decode` reads it.
    pub(super) async fn call<T>(
        &self,
        form: Form,
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, AwsError> {
        let operation = form.operation;
        self.answer(operation, self.connection.ec2.ask(form), decode).await
    }

    /// What `decode` reads in the answer to a call of a client of ours.
    pub(super) async fn answer<T>(
        &self,
        operation: Operation,
        ask: impl Future<Output = Result<SdkBody, SdkError<Refusal, HttpResponse>>>,
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, AwsError> {
        self.recorded(operation, async {
            let body = ask.await.map_err(|error| AwsError::of(operation, &error, SystemTime::now()))?;
            decode(body.bytes().unwrap_or_default()).map_err(|why| AwsError::malformed(operation, &why))
        })
        .await
    }

    /// A whole listing, or nothing of it. A page may be short or empty and still name a next one.
    pub(super) async fn listing<T>(
        &self,
        form: Form,
        decode: impl Fn(&[u8]) -> Result<Page<T>, Malformed>,
    ) -> Result<Vec<T>, AwsError> {
        let (mut rows, mut seen) = (Vec::new(), Seen::new(form.operation));
        let mut request = form.clone();
        loop {
            let page = self.call(request, &decode).await?;
            rows.extend(page.rows);
            let Some(token) = page.next else { return Ok(rows) };
            seen.add(&token)?;
            request = form.clone().with("NextToken", token);
        }
    }

    /// Runs a call and keeps what became of it. Expired credentials are forgotten, so that the next call gets new ones.
    pub(super) async fn recorded<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, AwsError>>,
    ) -> Result<T, AwsError> {
        let started = Instant::now();
        let result = call.await;
        let error = result.as_ref().err().map(|error| error.class);
        if error == Some(ErrorClass::ExpiredCredentials) {
            self.connection.credentials.empty();
        }
        let record = CallRecord { operation, error, seconds: started.elapsed().as_secs_f64() };
        tracing::debug!(%operation, outcome = record.outcome(), seconds = record.seconds, "called AWS");
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        result
    }
}

/// The tokens of the pages of one listing.
#[derive(Debug)]
pub(super) struct Seen {
    operation: Operation,
    tokens: HashSet<String>,
}

impl Seen {
    pub(super) fn new(operation: Operation) -> Seen {
        Seen { operation, tokens: HashSet::new() }
    }

    /// Adds one, which must be new: a listing that goes in a circle has no end.
    pub(super) fn add(&mut self, token: &str) -> Result<(), AwsError> {
        if self.tokens.insert(token.to_owned()) && self.tokens.len() < MOST_PAGES {
            return Ok(());
        }
        Err(AwsError::endless(self.operation, self.tokens.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_that_goes_in_a_circle_is_an_error() {
        let mut seen = Seen::new(Operation::DescribeSubnets);
        assert_eq!((seen.add("a"), seen.add("b")), (Ok(()), Ok(())));
        assert_eq!(seen.add("a").map_err(|error| error.class), Err(ErrorClass::Malformed));
    }
}
