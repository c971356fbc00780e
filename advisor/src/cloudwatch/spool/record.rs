//! A batch in the spool, in protobuf: fields may be added and old files still be read.

use headroom_capacity::time::Time;
use prost::Message;

use crate::cloudwatch::batch::Batch;
use crate::cloudwatch::{Datum, Sample, Unit};

#[derive(Message)]
struct BatchRecord {
    #[prost(string, tag = "1")]
    namespace: String,
    #[prost(message, repeated, tag = "2")]
    data: Vec<DatumRecord>,
}

#[derive(Message)]
struct DatumRecord {
    #[prost(string, tag = "1")]
    name: String,
    /// Name, value, name, value, ...
    #[prost(string, repeated, tag = "2")]
    dimensions: Vec<String>,
    #[prost(string, tag = "3")]
    unit: String,
    #[prost(double, repeated, tag = "4")]
    values: Vec<f64>,
    /// Empty where each is 1.
    #[prost(double, repeated, tag = "5")]
    counts: Vec<f64>,
}

pub(super) fn encode(batch: &Batch) -> Vec<u8> {
    let data = batch.data.iter().map(DatumRecord::from).collect();
    BatchRecord { namespace: batch.namespace.clone(), data }.encode_to_vec()
}

pub(super) fn decode(at: Time, bytes: &[u8]) -> Result<Batch, prost::DecodeError> {
    let BatchRecord { namespace, data } = BatchRecord::decode(bytes)?;
    Ok(Batch { namespace, at, data: data.into_iter().map(Datum::from).collect() })
}

impl From<&Datum> for DatumRecord {
    fn from(datum: &Datum) -> DatumRecord {
        let plain = datum.samples.iter().all(|sample| sample.count == 1.0);
        let counts = datum.samples.iter().map(|sample| sample.count).filter(|_| !plain).collect();
        DatumRecord {
            name: datum.name.clone(),
            dimensions: datum.dimensions.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect(),
            unit: datum.unit.label().to_owned(),
            values: datum.samples.iter().map(|sample| sample.value).collect(),
            counts,
        }
    }
}

impl From<DatumRecord> for Datum {
    fn from(record: DatumRecord) -> Datum {
        let pairs = record.dimensions.chunks_exact(2);
        let counts = record.counts.into_iter().chain(std::iter::repeat(1.0));
        let samples = record.values.into_iter().zip(counts).map(|(value, count)| Sample { value, count });
        Datum {
            name: record.name,
            dimensions: pairs.map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
            // A unit of a later version: the point counts more than its unit.
            unit: Unit::ALL.iter().copied().find(|unit| unit.label() == record.unit).unwrap_or(Unit::None),
            samples: samples.collect(),
        }
    }
}
