//! Lines of any input, and when they were written.

use std::borrow::Cow;
use std::io::{self, BufRead, ErrorKind};

/// Of a longer line the rest is passed over, bytes. kubelet and the AWS SDKs stay well below it.
const LONGEST: usize = 16 * 1024;

/// The lines of an input, in bounded memory.
pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Lines { input, line: Vec::with_capacity(LONGEST) }
    }

    /// The next line without its end, or none where there are no more.
    pub(super) fn next(&mut self) -> io::Result<Option<Cow<'_, str>>> {
        self.line.clear();
        let mut any = false;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', chunk);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = LONGEST.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&self.line)))
    }
}

/// How a time is written. Times of two forms are not compared: only one of them has a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `2018-09-11T07:28:11Z`: ipamd, nodeadm, `kubectl logs --timestamps`.
    Iso,
    /// `Nov 20 23:19:22`: journald's and syslog's.
    Syslog,
    /// `E0110 12:56:26.742792`: klog's, of kubelet and Cluster Autoscaler.
    Klog,
}

/// When a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp<'a> {
    form: Form,
    /// Since the year 1970, or since the beginning of a year that is not told.
    secs: i64,
    /// As it stands in the line.
    pub(super) text: &'a str,
}

/// A [`Stamp`] that outlives its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    form: Form,
    secs: i64,
    pub(super) text: String,
}

impl Moment {
    /// Seconds since `earlier`; none where they cannot be told, as from a year's end to the next one's beginning.
    pub(super) fn since(&self, earlier: &Moment) -> Option<i64> {
        let secs = self.secs - earlier.secs;
        (self.form == earlier.form && secs >= 0).then_some(secs)
    }

    /// Takes the time of `stamp` without a new allocation.
    pub(super) fn set(&mut self, stamp: Stamp<'_>) {
        (self.form, self.secs) = (stamp.form, stamp.secs);
        self.text.clear();
        self.text.push_str(stamp.text);
    }
}

impl From<Stamp<'_>> for Moment {
    fn from(stamp: Stamp<'_>) -> Self {
        Moment { form: stamp.form, secs: stamp.secs, text: stamp.text.to_owned() }
    }
}

/// How far into a line its time may begin, bytes: JSON has its level before, `kubectl logs --prefix` the pod's name.
const STAMP_WITHIN: usize = 120;

/// When a line says it was written. journald's time counts before that of the program whose line it carries.
pub(super) fn stamp(line: &str) -> Option<Stamp<'_>> {
    let bytes = line.as_bytes();
    if let Some(secs) = syslog(bytes) {
        return Some(Stamp { form: Form::Syslog, secs, text: line.get(..15)? });
    }
    for at in 0..bytes.len().min(STAMP_WITHIN) {
        let rest = &bytes[at..];
        if rest[0].is_ascii_digit()
            && let Some((secs, length)) = iso(rest)
        {
            return Some(Stamp { form: Form::Iso, secs, text: line.get(at..at + length)? });
        }
        let begins = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        if begins
            && matches!(rest[0], b'I' | b'W' | b'E' | b'F')
            && let Some(secs) = klog(rest)
        {
            return Some(Stamp { form: Form::Klog, secs, text: line.get(at + 1..at + 14)? });
        }
    }
    None
}

/// `2018-09-11T07:28:11`, with a blank instead of the T too; and its length with the `Z`.
fn iso(text: &[u8]) -> Option<(i64, usize)> {
    let year = number(text, 0, 4)?;
    let (month, day) = (number(text, 5, 2)?, number(text, 8, 2)?);
    let fixed = text.get(4) == Some(&b'-') && text.get(7) == Some(&b'-') && matches!(text.get(10), Some(b'T' | b' '));
    let secs = days(year, month, day)? * 86_400 + clock(text, 11)?;
    let length = if text.get(19) == Some(&b'Z') { 20 } else { 19 };
    fixed.then_some((secs, length))
}

/// `Nov 20 23:19:22`.
fn syslog(text: &[u8]) -> Option<i64> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let name = text.get(..3)?;
    let month = (1..).zip(MONTHS).find(|(_, month)| *month == name)?.0;
    let day = if text.get(4) == Some(&b' ') { number(text, 5, 1)? } else { number(text, 4, 2)? };
    (text.get(3) == Some(&b' ')).then_some(days(2000, month, day)? * 86_400 + clock(text, 7)?)
}

/// `E0110 12:56:26`.
fn klog(text: &[u8]) -> Option<i64> {
    let (month, day) = (number(text, 1, 2)?, number(text, 3, 2)?);
    (text.get(5) == Some(&b' ')).then_some(days(2000, month, day)? * 86_400 + clock(text, 6)?)
}

/// `07:28:11`, seconds of the day.
fn clock(text: &[u8], at: usize) -> Option<i64> {
    let colons = text.get(at + 2) == Some(&b':') && text.get(at + 5) == Some(&b':');
    let (hour, minute, second) = (number(text, at, 2)?, number(text, at + 3, 2)?, number(text, at + 6, 2)?);
    (colons && hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

fn number(text: &[u8], at: usize, length: usize) -> Option<i64> {
    let digits = text.get(at..at + length)?;
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// Days since 1970-01-01 in the Gregorian calendar; years begin in March here, so that a leap day is their last.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(line: &str) -> Moment {
        stamp(line).unwrap_or_else(|| panic!("{line} has a time")).into()
    }

    #[test]
    fn times_of_every_kind_of_log_are_found() {
        for (line, text) in [
            ("2018-09-11T07:28:11Z [DEBUG] Start increasing IP Pool size", "2018-09-11T07:28:11Z"),
            (r#"{"level":"info","ts":"2022-02-04T22:24:55.014Z","caller":"a.go:1"}"#, "2022-02-04T22:24:55"),
            ("[pod/aws-node-x7/aws-node] 2022-02-04 22:24:55,014 - util.py[WARNING]: x", "2022-02-04 22:24:55"),
            ("E0110 12:56:26.742792       1 aws_manager.go:258] Failed", "0110 12:56:26"),
            ("Nov  2 23:19:22 ip-10-0-1-5 kubelet[3969]: E1102 23:19:21.9 1 x.go:1] y", "Nov  2 23:19:22"),
        ] {
            assert_eq!(moment(line).text, text, "{line}");
        }
        for line in ["", "no time here", "E01", "2018-13-11T07:28:11Z", "2018-09-11T27:28:11Z", "Nov", "Nov 20"] {
            assert_eq!(stamp(line), None, "{line}");
        }
    }

    #[test]
    fn times_are_seconds_apart_across_days() {
        assert_eq!(moment("2024-03-01T00:00:10Z").since(&moment("2024-02-28T23:59:50Z")), Some(86_420));
        assert_eq!(moment("1970-01-02T00:00:00Z").secs, 86_400);
        assert_eq!(moment("Mar  1 00:00:01 a b: c").since(&moment("Feb 28 00:00:00 a b: c")), Some(2 * 86_400 + 1));
        assert_eq!(moment("I0101 00:00:00.0 1 a").since(&moment("I1231 23:59:59.0 1 a")), None);
        assert_eq!(moment("2024-02-28T23:59:50Z").since(&moment("I1231 23:59:59.0 1 a")), None);
    }

    #[test]
    fn a_line_without_an_end_is_cut_and_the_next_one_is_whole() {
        let mut text = vec![b'x'; 3 * LONGEST];
        text.extend_from_slice(b"\nnext\r\n\nlast");
        let mut lines = Lines::new(io::BufReader::with_capacity(7, text.as_slice()));
        assert_eq!(lines.next().unwrap().map(|line| line.len()), Some(LONGEST));
        for want in [Some("next"), Some(""), Some("last"), None] {
            assert_eq!(lines.next().unwrap().as_deref(), want);
        }
        assert!(lines.line.capacity() < 2 * LONGEST, "memory does not follow the line");
    }
}
