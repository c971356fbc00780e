//! A trace from a file: one line for each observation, `timestamp,value`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use headroom_forecast::series::Series;

use super::trace::Trace;

/// A step is the usual distance of two lines, and at least so long.
const STEP_SECS: u64 = 300;
/// Lines farther apart than the shortest horizon cannot be forecast to it.
const MAX_STEP_SECS: u64 = 3600;
/// More is a wrong timestamp rather than a history.
const MAX_DAYS: u64 = 800;
/// What is needed for a warm-up of a day and something to forecast.
const MIN_DAYS: u64 = 2;
/// A whole number from here on counts milliseconds: as seconds it would lie in the year 5138, as milliseconds this is 1973.
const MILLIS_FROM: f64 = 1e11;
/// Without a capacity the subnet is one that was nearly full once.
const CAPACITY_OF_MAX: f64 = 1.1;

/// Reads a file.
///
/// # Errors
/// When it cannot be read or is not what [`parse`] takes.
pub fn read(path: &Path, capacity: Option<f64>) -> Result<Trace> {
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to read '{}'", path.display()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    parse(&text, &name, capacity).with_context(|| format!("'{}' is not a trace", path.display()))
}

/// Takes `timestamp,value` lines in any order. A timestamp is Unix seconds or milliseconds, RFC 3339, or `2014-02-14 14:30:00` in
/// UTC. A value is a number from 0; an empty one or `NaN` is a gap. The first line may be a header. Of several lines in a step
/// the largest value counts. Without `capacity` the subnet has 1.1 times the largest value; values above it are cut to it.
///
/// # Errors
/// When a line is something else, or there are too few, too many or too far apart.
pub fn parse(text: &str, name: &str, capacity: Option<f64>) -> Result<Trace> {
    let rows = rows(text)?;
    let most = rows.values().copied().fold(0.0, f64::max);
    ensure!(most > 0.0, "no value is above 0: give one line for each observation, 'timestamp,value'");
    let capacity = capacity.unwrap_or_else(|| (most * CAPACITY_OF_MAX).ceil());
    ensure!(capacity.is_finite() && capacity > 0.0, "the capacity is {capacity}: give a number above 0");
    let step_secs = step(&rows)?;
    let (first, last) = rows.keys().next().zip(rows.keys().last()).context("no line has a value")?;
    let (start, span) = (first - first % step_secs, last - first);
    ensure!(
        (MIN_DAYS * 86_400..=MAX_DAYS * 86_400).contains(&span),
        "the lines span {:.1} days: {MIN_DAYS} to {MAX_DAYS} are allowed",
        std::time::Duration::from_secs(span).as_secs_f64() / 86_400.0
    );
    let place = |secs: u64| usize::try_from((secs - start) / step_secs);
    let mut values = vec![None; place(*last)? + 1];
    for (&secs, &value) in &rows {
        let slot: &mut Option<f64> = &mut values[place(secs)?];
        *slot = Some(slot.map_or(value, |most| most.max(value)).min(capacity));
    }
    let cut = if most > capacity { format!("; values up to {most} are cut to the capacity") } else { String::new() };
    Ok(Trace {
        name: name.to_owned(),
        about: format!("{} lines, steps of {} min{cut}", rows.len(), step_secs / 60),
        observed: Series { start_secs: start, step_secs: u32::try_from(step_secs)?, values: values.clone() },
        truth: values,
        capacity,
        gradual: false,
    })
}

/// Values by time in seconds, the largest of each.
fn rows(text: &str) -> Result<BTreeMap<u64, f64>> {
    let mut rows = BTreeMap::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let Some((time, value)) = line.split_once(',') else {
            bail!("line {number}: '{line}' has no comma: 'timestamp,value' is allowed");
        };
        let [time, value] = [time, value].map(|field| field.trim().trim_matches('"').trim());
        let secs = match self::time(time) {
            Some(secs) => secs,
            // A header has no number in either place.
            None if number == 1 && value.parse::<f64>().is_err() => continue,
            None => bail!(
                "line {number}: timestamp '{time}': Unix seconds or milliseconds, RFC 3339, or 'YYYY-MM-DD HH:MM:SS' in UTC is allowed"
            ),
        };
        if value.is_empty() || value.eq_ignore_ascii_case("nan") {
            continue;
        }
        let parsed = value.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
        let Some(parsed) = parsed else {
            bail!("line {number}: value '{value}': a number from 0 is allowed, and nothing or NaN for a gap");
        };
        rows.entry(secs).and_modify(|most: &mut f64| *most = most.max(parsed)).or_insert(parsed);
    }
    Ok(rows)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within the years to 9999")]
fn time(text: &str) -> Option<u64> {
    if let Ok(number) = text.parse::<f64>() {
        let secs = if number >= MILLIS_FROM { number / 1000.0 } else { number };
        return (0.0..253_402_300_800.0).contains(&secs).then_some(secs as u64);
    }
    let timestamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let utc = text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(utc.timestamp())
    });
    u64::try_from(timestamp?.as_second()).ok()
}

/// The middle distance of two lines in whole steps, so that a file of half hours is not a file of gaps.
fn step(rows: &BTreeMap<u64, f64>) -> Result<u64> {
    let mut distances: Vec<u64> = rows.keys().zip(rows.keys().skip(1)).map(|(before, after)| after - before).collect();
    distances.sort_unstable();
    let Some(&middle) = distances.get(distances.len() / 2) else { bail!("fewer than two lines have a value") };
    let step = middle.next_multiple_of(STEP_SECS);
    ensure!(step <= MAX_STEP_SECS, "lines are {middle} s apart: at most {MAX_STEP_SECS} are allowed");
    Ok(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: u32, every: u32, line: impl Fn(u32) -> String) -> String {
        (0..count).map(|n| line(n * every) + "\n").collect()
    }

    fn three_days(of: impl Fn(u32) -> String) -> String {
        lines(3 * 288, 300, of)
    }

    #[test]
    fn timestamps_have_four_forms() {
        for text in [
            "1392388200",
            "1392388200000",
            "1392388200.5",
            "2014-02-14T14:30:00Z",
            "2014-02-14T16:30:00+02:00",
            "2014-02-14 14:30:00",
        ] {
            assert_eq!(time(text), Some(1_392_388_200), "{text}");
        }
        for text in ["", "-5", "14:30", "2014-02-30 00:00:00", "1e30", "1960-01-01T00:00:00Z"] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn steps_take_the_largest_and_gaps_stay() {
        let text = three_days(|secs| match secs {
            600 => format!("{secs},"),
            900 => format!("{secs},NaN"),
            _ => format!("{secs},{}\n{},7", secs / 300, secs + 60),
        });
        let trace = parse(&format!("timestamp,value\n{text}"), "x", None).unwrap();
        assert_eq!(trace.observed.values[..5], [Some(7.0), Some(7.0), None, None, Some(7.0)]);
        assert_eq!((trace.observed.values[100], trace.len()), (Some(100.0), 864));
        // 863 x 1.1.
        assert_eq!((trace.capacity, trace.observed.step_secs), (950.0, 300));
        let cut = parse(&text, "x", Some(500.0)).unwrap();
        assert_eq!(cut.truth[800], Some(500.0));
        assert!(cut.about.contains("863 are cut"), "{}", cut.about);
    }

    #[test]
    fn half_hours_make_steps_of_half_an_hour() {
        let trace = parse(&lines(200, 1800, |secs| format!("\"{secs}\",3.5")), "x", None).unwrap();
        assert_eq!((trace.observed.step_secs, trace.len()), (1800, 200));
        assert!(trace.truth.iter().all(Option::is_some));
    }

    #[test]
    fn errors_name_the_line_the_value_and_what_is_allowed() {
        let rows = [
            ("1,2\nx,3".to_owned(), "line 2: timestamp 'x': Unix seconds or milliseconds, RFC 3339"),
            ("x,3\n".to_owned(), "line 1: timestamp 'x'"),
            ("t,v\n1,2\n2,-1".to_owned(), "line 3: value '-1': a number from 0 is allowed"),
            ("1,2\n2,inf".to_owned(), "line 2: value 'inf'"),
            ("1,2,3".to_owned(), "line 1: value '2,3'"),
            ("1 2".to_owned(), "line 1: '1 2' has no comma: 'timestamp,value' is allowed"),
            ("t,v\n".to_owned(), "no value is above 0"),
            ("1,2".to_owned(), "fewer than two lines"),
            ("1,2\n90000,3\n".to_owned(), "lines are 89999 s apart: at most 3600 are allowed"),
            ("0,2\n300,3\n".to_owned(), "the lines span 0.0 days: 2 to 800 are allowed"),
            ("0,2\n300,3\n600,1\n1700000000,3\n".to_owned(), "the lines span 19675.9 days"),
        ];
        for (text, expected) in rows {
            let error = format!("{:#}", parse(&text, "x", None).unwrap_err());
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        assert!(parse(&three_days(|secs| format!("{secs},1")), "x", Some(0.0)).is_err());
        let error = format!("{:#}", read(Path::new("/nowhere.csv"), None).unwrap_err());
        assert!(error.contains("'/nowhere.csv'"), "{error}");
    }
}
