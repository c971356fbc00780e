use super::*;

#[test]
fn pauses_grow_to_a_minute_and_differ() {
    let whole: Vec<u64> = (1..=8).map(|failures| pause(failures, 0.0).as_secs()).collect();
    assert_eq!(whole, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(pause(u32::MAX, 1.0), LONGEST_PAUSE / 2);
}
