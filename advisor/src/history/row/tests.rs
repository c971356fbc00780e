use proptest::prelude::*;

use super::*;

#[test]
fn what_does_not_change_costs_nothing() {
    assert!(encode(&[None; 288]).is_empty());
    assert_eq!(encode(&[Some(0.0); 288]), [3, 1, 159, 2]);
    let mut steps = vec![None; 288];
    steps[100] = Some(1.0);
    assert_eq!(encode(&steps), [0, 100, 5], "what follows is not told");
    let counts: Vec<_> = (0..288).map(|step| Some(f64::from(1000 + step % 60))).collect();
    assert!(encode(&counts).len() <= 290);
}

#[test]
fn only_counts_are_kept() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-300, MAX_VALUE * 2.0] {
        assert_eq!(kept(value), None, "{value}");
    }
    assert!(kept(-0.0).is_some_and(f64::is_sign_positive));
    assert_eq!(kept(MAX_VALUE), Some(MAX_VALUE));
    assert_eq!(kept(0.1), Some(f64::from(0.1_f32)));
}

#[test]
fn what_is_no_row_is_said() {
    let longer = [3, 1, 160, 2];
    for bytes in [&[1, 5][..], &[0], &[2, 0, 0], &[0x80], &[4], &longer, &[0xff; 11], &[2, 0, 0, 192, 127]] {
        assert_eq!(decode(bytes, 288), Err(Malformed), "{bytes:?}");
    }
}

fn value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        2 => Just(None),
        4 => (0..300_u32).prop_map(|count| Some(f64::from(count))),
        1 => Just(Some(MAX_VALUE)),
        1 => (0.0..1e6).prop_map(kept),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Option<f64>>> {
    let runs = prop::collection::vec((value(), 1..40_usize), 0..60);
    runs.prop_map(|runs| {
        let mut steps: Vec<_> = runs.into_iter().flat_map(|(value, count)| std::iter::repeat_n(value, count)).collect();
        steps.resize(288, None);
        steps
    })
}

proptest! {
    #[test]
    fn a_row_comes_back(steps in steps()) {
        let bytes = encode(&steps);
        prop_assert!(bytes.len() <= 288 * 9);
        prop_assert_eq!(decode(&bytes, 288), Ok(steps));
    }

    #[test]
    fn any_bytes_are_a_row_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(steps) = decode(&bytes, 288) {
            prop_assert_eq!(steps.len(), 288);
            prop_assert_eq!(decode(&encode(&steps), 288), Ok(steps));
        }
    }
}
