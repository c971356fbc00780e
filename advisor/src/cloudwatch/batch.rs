//! What PutMetricData takes in one request, and what it does not take at all.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use headroom_capacity::time::Time;

use super::{Datum, Loss, Sample};

/// Metrics in one request (CloudWatch API reference, "PutMetricData").
pub const MAX_DATA: usize = 1000;
/// Bytes of one request before compression: "1 MB", taken as the smaller of its two meanings.
pub const MAX_BYTES: usize = 1_000_000;
/// Values of one datum.
pub const MAX_VALUES: usize = 150;
/// Dimensions of one metric.
pub const MAX_DIMENSIONS: usize = 30;
/// Characters of a metric's or a dimension's name (CloudWatch API reference, "MetricDatum", "Dimension").
pub const MAX_NAME: usize = 255;
/// Characters of a dimension's value.
pub const MAX_DIMENSION_VALUE: usize = 1024;
/// Values lie between -2^360 and 2^360.
pub const MAX_EXPONENT: i32 = 360;
/// How old a point may be.
pub const OLDEST: Duration = Duration::from_secs(14 * 86_400);
/// How far ahead it may be.
pub const NEWEST: Duration = Duration::from_secs(2 * 3600);
/// Kept from both ends of that time, so that neither a slow call nor a clock that is off turns a point into an error. AWS's
/// signatures tolerate as much.
const MARGIN: Duration = Duration::from_secs(300);

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `Namespace`.
    pub namespace: String,
    /// `Timestamp` of every datum. A round of publication is what has the same one.
    pub at: Time,
    /// The data.
    pub data: Vec<Datum>,
}

/// Data in batches, and those that CloudWatch would refuse together with everything beside them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batched {
    /// Requests within all limits, in the order of the data.
    pub batches: Vec<Batch>,
    /// What cannot be sent, and why.
    pub rejected: Vec<(Loss, Datum)>,
}

/// Divides `data` into requests. A datum with more values than one takes becomes several of the same name, which CloudWatch adds
/// up. Each datum ends up in exactly one of the results.
#[must_use]
pub fn batches(namespace: &str, at: Time, data: Vec<Datum>, now: Time) -> Batched {
    let mut batched = Batched::default();
    let mut bytes = 0;
    for datum in data {
        if let Some(loss) = out_of_time(at, now).or_else(|| flaw(&datum)) {
            batched.rejected.push((loss, datum));
            continue;
        }
        for part in parts(datum) {
            let size = size(&part);
            match batched.batches.last_mut() {
                Some(batch) if batch.data.len() < MAX_DATA && bytes + size <= MAX_BYTES => {
                    bytes += size;
                    batch.data.push(part);
                }
                _ => {
                    bytes = envelope(namespace) + size;
                    batched.batches.push(Batch { namespace: namespace.to_owned(), at, data: vec![part] });
                }
            }
        }
    }
    batched
}

/// Whether CloudWatch would refuse points of `at` for their age.
#[must_use]
pub fn out_of_time(at: Time, now: Time) -> Option<Loss> {
    if at < now - (OLDEST - MARGIN) {
        return Some(Loss::TooOld);
    }
    (at > now + (NEWEST - MARGIN)).then_some(Loss::TooFarAhead)
}

fn flaw(datum: &Datum) -> Option<Loss> {
    if !is_name(&datum.name, MAX_NAME) || datum.name.starts_with(':') {
        return Some(Loss::Name);
    }
    let distinct: BTreeSet<&str> = datum.dimensions.iter().map(|(name, _)| name.as_str()).collect();
    let named = datum
        .dimensions
        .iter()
        .all(|(name, value)| is_name(name, MAX_NAME) && !name.starts_with(':') && is_name(value, MAX_DIMENSION_VALUE));
    if !named || distinct.len() < datum.dimensions.len() || datum.dimensions.len() > MAX_DIMENSIONS {
        return Some(Loss::Dimensions);
    }
    let numbers = || datum.samples.iter().flat_map(|Sample { value, count }| [*value, *count]);
    if datum.samples.is_empty() {
        Some(Loss::Empty)
    } else if numbers().any(|number| !number.is_finite()) {
        Some(Loss::NotFinite)
    } else {
        numbers().any(|number| number.abs() > 2f64.powi(MAX_EXPONENT)).then_some(Loss::TooLarge)
    }
}

/// Dimensions must be of printable ASCII with something beside spaces (CloudWatch API reference, "Dimension"); names are held
/// to the same.
fn is_name(text: &str, longest: usize) -> bool {
    let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    printable && text.len() <= longest && !text.trim().is_empty()
}

fn parts(datum: Datum) -> Vec<Datum> {
    if datum.samples.len() <= MAX_VALUES {
        return vec![datum];
    }
    let part = |samples: &[Sample]| Datum { samples: samples.to_vec(), ..datum.clone() };
    datum.samples.chunks(MAX_VALUES).map(part).collect()
}

/// At least the bytes of a datum in CBOR (RFC 8949): nine for the head of each string, list, map and number, the field names
/// (`MetricName`, `Dimensions`, `Name`, `Value`, `Timestamp`, `Unit`, `Values`, `Counts`) and the strings themselves.
fn size(datum: &Datum) -> usize {
    const FIXED: usize = 200;
    const DIMENSION: usize = 60;
    const SAMPLE: usize = 18;
    let dimensions: usize = datum.dimensions.iter().map(|(name, value)| DIMENSION + name.len() + value.len()).sum();
    FIXED + datum.name.len() + dimensions + SAMPLE * datum.samples.len()
}

fn envelope(namespace: &str) -> usize {
    100 + namespace.len()
}
