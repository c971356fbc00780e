//! Many steps in a few bytes.
//!
//! Figures are counts that seldom change, so a step is told as the difference from the one before: one byte for most, two for any
//! number of equal ones. Tokens, each a LEB128 varint:
//!
//! ```text
//! 0, n      n steps of which nothing is known
//! 1, n      n steps equal to the one before
//! 2, f32    a fraction, in 4 bytes little-endian
//! 3 + z     a whole number: the difference from the whole number before (0 at first), in zigzag
//! ```

#[cfg(test)]
mod tests;

use thiserror::Error;

const GAP: u64 = 0;
const SAME: u64 = 1;
const FRACTION: u64 = 2;
const WHOLE: u64 = 3;

/// Whole numbers up to this are exact in an f64, and their differences in an i64.
pub(super) const MAX_VALUE: f64 = 9_007_199_254_740_992.0;

/// These bytes are no row.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a row of the history is no row")]
pub(super) struct Malformed;

/// The value as it is kept: whole numbers as they are, fractions in f32, which is good to seven digits. `None` for what is no
/// count: negative, not finite, beyond 2^53.
pub(super) fn kept(value: f64) -> Option<f64> {
    if !(0.0..=MAX_VALUE).contains(&value) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "seven digits of a fraction are enough")]
    let rounded = f64::from(value as f32);
    // Adding 0 makes -0 one of the two zeros.
    Some(if value.fract() == 0.0 { value + 0.0 } else { rounded })
}

/// Packs steps whose values are [`kept`].
pub(super) fn encode(steps: &[Option<f64>]) -> Vec<u8> {
    let known = steps.len() - steps.iter().rev().take_while(|step| step.is_none()).count();
    let mut bytes = Vec::new();
    let mut whole = 0;
    for run in steps[..known].chunk_by(PartialEq::eq) {
        let Some(value) = run[0] else {
            varint(&mut bytes, GAP);
            varint(&mut bytes, run.len() as u64);
            continue;
        };
        debug_assert_eq!(kept(value), Some(value));
        whole = push(&mut bytes, value, whole);
        match run.len() - 1 {
            0 => {}
            // A difference of 0 takes a byte, a run two.
            1 if value.fract() == 0.0 => whole = push(&mut bytes, value, whole),
            more => {
                varint(&mut bytes, SAME);
                varint(&mut bytes, more as u64);
            }
        }
    }
    bytes
}

/// The whole number that the next is told against.
fn push(bytes: &mut Vec<u8>, value: f64, before: i64) -> i64 {
    if value.fract() != 0.0 {
        varint(bytes, FRACTION);
        #[expect(clippy::cast_possible_truncation, reason = "it is an f32's already")]
        bytes.extend((value as f32).to_le_bytes());
        return before;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53")]
    let whole = value as i64;
    let difference = whole - before;
    // 0, -1, 1, -2, ...: small differences of either sign are small numbers.
    varint(bytes, WHOLE + ((difference << 1) ^ (difference >> 63)).cast_unsigned());
    whole
}

/// The `len` steps of a row.
///
/// # Errors
/// When [`encode`] did not make these bytes of so many steps.
pub(super) fn decode(mut bytes: &[u8], len: usize) -> Result<Vec<Option<f64>>, Malformed> {
    let mut steps: Vec<Option<f64>> = Vec::with_capacity(len);
    let mut whole: i64 = 0;
    while !bytes.is_empty() {
        let token = take_varint(&mut bytes)?;
        let (step, count) = match token {
            GAP => (None, take_varint(&mut bytes)?),
            SAME => (*steps.last().ok_or(Malformed)?, take_varint(&mut bytes)?),
            FRACTION => (Some(take_fraction(&mut bytes)?), 1),
            _ => {
                let zigzag = token - WHOLE;
                let difference = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
                whole = whole.checked_add(difference).ok_or(Malformed)?;
                (Some(whole as f64), 1)
            }
        };
        let count = usize::try_from(count).ok().filter(|count| *count <= len - steps.len()).ok_or(Malformed)?;
        if step.is_some_and(|value| kept(value) != Some(value)) {
            return Err(Malformed);
        }
        steps.extend(std::iter::repeat_n(step, count));
    }
    steps.resize(len, None);
    Ok(steps)
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *bytes.split_off_first().ok_or(Malformed)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

fn take_fraction(bytes: &mut &[u8]) -> Result<f64, Malformed> {
    let (first, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    *bytes = rest;
    Ok(f64::from(f32::from_le_bytes(*first)))
}
