//! The signed reads, and what their errors say.

use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;
use headroom_reach::{DeniedBy, Endpoint, Signed, SignedRead};

use crate::aws::{Api, AwsError, CallRecord, Connection, ErrorClass};

/// Reads on a connection, and what became of each.
#[derive(Debug)]
pub struct Reads<'a> {
    connection: &'a Connection,
    records: Mutex<Vec<CallRecord>>,
}

impl<'a> Reads<'a> {
    /// With no calls yet.
    #[must_use]
    pub fn new(connection: &'a Connection) -> Reads<'a> {
        Reads { connection, records: Mutex::default() }
    }

    /// The calls so far, in the order in which they ended.
    #[must_use]
    pub fn into_records(self) -> Vec<CallRecord> {
        self.records.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signed for Reads<'_> {
    fn read<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, SignedRead> {
        Box::pin(async {
            let api = Api::new(self.connection);
            let read = match api.touch(endpoint.service).await {
                None => SignedRead::NotMade,
                Some(Ok(operation)) => SignedRead::Answered { call: operation.to_string() },
                Some(Err(error)) => said(error),
            };
            self.records.lock().unwrap_or_else(PoisonError::into_inner).extend(api.into_records());
            read
        })
    }
}

fn said(error: AwsError) -> SignedRead {
    let AwsError { operation, class, code, message, request_id: _ } = error;
    match class {
        ErrorClass::Denied => SignedRead::Denied { by: DeniedBy::read(&message), message },
        ErrorClass::Throttled => SignedRead::Throttled { message },
        ErrorClass::ClockSkew => SignedRead::Skewed { message },
        ErrorClass::ExpiredCredentials => SignedRead::Expired { message },
        ErrorClass::NoCredentials => SignedRead::NoCredentials { message: format!("{operation}: {message}") },
        ErrorClass::Timeout | ErrorClass::Connect => {
            SignedRead::NoAnswer { message: format!("{operation}: {message}") }
        }
        ErrorClass::Service | ErrorClass::Invalid | ErrorClass::Malformed | ErrorClass::Other => {
            SignedRead::Other { code, message: format!("{operation}: {message}") }
        }
    }
}
