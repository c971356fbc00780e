use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::cloudwatch::Unit;

const NOW: Time = Time::from_secs(100 * 86_400);

fn datum(id: usize, dimensions: usize, padding: usize, samples: Vec<f64>) -> Datum {
    let mut dimensions: Vec<(String, String)> =
        (0..dimensions).map(|index| (format!("d{index}"), "x".repeat(padding.max(1)))).collect();
    dimensions.push(("Id".to_owned(), id.to_string()));
    let samples = samples.into_iter().map(|value| Sample { value, count: 1.0 }).collect();
    Datum { name: "SubnetFreeIPs".to_owned(), dimensions, unit: Unit::Count, samples }
}

/// Values by the datum that they came with.
fn values<'a>(data: impl IntoIterator<Item = &'a Datum>) -> BTreeMap<String, Vec<u64>> {
    let mut values: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for datum in data {
        let id = datum.dimensions.last().expect("each has its ID").1.clone();
        values.entry(id).or_default().extend(datum.samples.iter().map(|sample| sample.value.to_bits()));
    }
    values
}

fn number() -> impl Strategy<Value = f64> {
    let bound = 2f64.powi(MAX_EXPONENT);
    prop_oneof![
        20 => -1e6..1e6f64,
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -bound, bound, bound * 2.0]),
    ]
}

fn data() -> impl Strategy<Value = Vec<Datum>> {
    let one = (0..34usize, prop_oneof![9 => 0..20usize, 1 => 0..1200usize], vec(number(), 0..400));
    let few = vec(one, 0..60).prop_map(|parts| {
        parts.into_iter().enumerate().map(|(id, (dims, padding, samples))| datum(id, dims, padding, samples)).collect()
    });
    let many = (0..3500usize).prop_map(|count| (0..count).map(|id| datum(id, 2, 8, vec![1.0])).collect());
    prop_oneof![4 => few, 1 => many]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_value_is_in_one_request_within_the_limits_or_is_rejected(data in data()) {
        let batched = batches("Headroom", NOW, data.clone(), NOW);
        let mut got = values(batched.batches.iter().flat_map(|batch| &batch.data));
        let rejected = values(batched.rejected.iter().map(|(_, datum)| datum));
        prop_assert!(rejected.keys().all(|id| !got.contains_key(id)), "no datum is sent in part");
        got.extend(rejected);
        prop_assert_eq!(got, values(&data));
        for batch in &batched.batches {
            prop_assert!((1..=MAX_DATA).contains(&batch.data.len()));
            prop_assert!(envelope("Headroom") + batch.data.iter().map(size).sum::<usize>() <= MAX_BYTES);
            for datum in &batch.data {
                prop_assert!((1..=MAX_VALUES).contains(&datum.samples.len()));
                prop_assert!(datum.dimensions.len() <= MAX_DIMENSIONS);
                prop_assert!(datum.samples.iter().all(|s| s.value.abs() <= 2f64.powi(MAX_EXPONENT)));
            }
        }
    }

    #[test]
    fn age_decides_for_the_whole_round(age in -4 * 3600..16 * 86_400i64) {
        let at = if age < 0 {
            NOW + Duration::from_secs(age.unsigned_abs())
        } else {
            NOW - Duration::from_secs(age.unsigned_abs())
        };
        let batched = batches("Headroom", at, vec![datum(0, 1, 1, vec![1.0])], NOW);
        let accepted = (-7200..=14 * 86_400).contains(&age);
        let surely = (-6900..=14 * 86_400 - 300).contains(&age);
        prop_assert!(accepted || batched.batches.is_empty());
        prop_assert!(!surely || batched.rejected.is_empty());
        prop_assert_eq!(batched.batches.len() + batched.rejected.len(), 1);
    }
}

#[test]
fn each_flaw_has_its_reason() {
    let loss = |datum: Datum| batches("Headroom", NOW, vec![datum], NOW).rejected.pop().map(|(loss, _)| loss);
    let good = || datum(0, 2, 4, vec![1.0]);
    assert_eq!(loss(good()), None);
    assert_eq!(loss(datum(0, 0, 1, vec![1.0, f64::NAN])), Some(Loss::NotFinite));
    assert_eq!(loss(datum(0, 0, 1, vec![-2f64.powi(361)])), Some(Loss::TooLarge));
    assert_eq!(loss(datum(0, 0, 1, vec![])), Some(Loss::Empty));
    assert_eq!(loss(datum(0, 30, 1, vec![1.0])), Some(Loss::Dimensions), "31 of them");
    assert_eq!(loss(datum(0, 1, 1025, vec![1.0])), Some(Loss::Dimensions));
    assert_eq!(loss(Datum { dimensions: vec![("ASG".into(), "gr\u{fc}n".into())], ..good() }), Some(Loss::Dimensions));
    let twice = vec![("AZ".into(), "a".into()), ("AZ".into(), "b".into())];
    assert_eq!(loss(Datum { dimensions: twice, ..good() }), Some(Loss::Dimensions));
    assert_eq!(loss(Datum { name: " ".into(), ..good() }), Some(Loss::Name));
    assert_eq!(loss(Datum { name: ":x".into(), ..good() }), Some(Loss::Name));
}
