//! How large it gets.

use super::*;

/// Counts as a subnet has them: a day's wave, and some jitter from a fixed generator.
fn count(step: u64, series: u64) -> f64 {
    let wave = 60.0 * (step as f64 / 288.0 * std::f64::consts::TAU).sin();
    let jitter = (step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(series) >> 33) % 5;
    (200.0 + wave).round() + jitter as f64
}

/// `days` of `series` series, by back-filling: the rows are the same as if they had been recorded.
fn fill(history: &History, days: u64, series: u64, count: impl Fn(u64, u64) -> f64) {
    for number in 0..series {
        let points = (0..days * 288).map(|step| (START + step * 300, count(step, number))).collect();
        history.backfill(START + days * 86_400, &[(used(&format!("subnet-{number:017}")), points)]).unwrap();
    }
}

#[test]
fn it_does_not_grow_once_it_is_full() {
    let history = memory();
    let mut sizes = Vec::new();
    for day in 0..900 {
        // Two steps a day: the day's first ends with the second, and the rows have both tiers' parts.
        record(&history, START + day * 86_400, 250.0);
        record(&history, START + day * 86_400 + 300, 251.0);
        sizes.push([history.stored_rows(Tier::FiveMinutes).0, history.stored_rows(Tier::Hour).0]);
    }
    assert_eq!(sizes.iter().max(), Some(&[57, 26]));
    assert_eq!(sizes[899], [57, 26]);
}

/// What the module's documentation says.
#[test]
fn a_full_series_takes_as_many_bytes_as_is_said() {
    let bytes = |count: fn(u64, u64) -> f64| {
        let history = memory();
        fill(&history, 416, 1, count);
        let [(fine_rows, fine), (hour_rows, hours)] =
            [Tier::FiveMinutes, Tier::Hour].map(|tier| history.stored_rows(tier));
        assert_eq!((fine_rows, hour_rows), (57, 26));
        fine + hours
    };
    let (moving, constant) = (bytes(count), bytes(|_, _| 251.0));
    assert!(moving < 27_000, "{moving}");
    assert!(constant < 500, "{constant}");
}

/// Prints the file's size and times of 100 series; not run by itself.
#[test]
#[ignore = "a measurement"]
fn measure() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.redb");
    let history = History::open(Some(&file), Limits::default()).unwrap();
    let begun = std::time::Instant::now();
    fill(&history, 416, 100, count);
    println!("fill {:?} file {} kB", begun.elapsed(), std::fs::metadata(&file).unwrap().len() >> 10);
    let keys: Vec<SeriesKey> = history.keys().unwrap();
    let end = START + 416 * 86_400;
    for (name, at) in [("new step", end), ("round", end + 30), ("round", end + 60), ("step ends", end + 300)] {
        let round: Vec<(SeriesKey, f64)> = keys.iter().map(|key| (key.clone(), 250.0)).collect();
        let begun = std::time::Instant::now();
        history.record(at, &round).unwrap();
        println!("{name} {:?}", begun.elapsed());
    }
    for step in 2..300 {
        let round: Vec<(SeriesKey, f64)> = keys.iter().map(|key| (key.clone(), 250.0 + (step % 3) as f64)).collect();
        history.record(end + step * 300, &round).unwrap();
    }
    println!("after a day file {} kB", std::fs::metadata(&file).unwrap().len() >> 10);
    let begun = std::time::Instant::now();
    for key in &keys {
        history.series(key, Tier::FiveMinutes, end - 56 * 86_400, end).unwrap();
    }
    println!("read 100 x 8 weeks {:?}", begun.elapsed());
    drop(history);
    let begun = std::time::Instant::now();
    drop(History::open(Some(&file), Limits::default()).unwrap());
    println!("open {:?}", begun.elapsed());
}
