//! Kubernetes quantities, exactly.

use std::fmt;

use prost::Message;
use serde::de::{Deserialize, Deserializer, Visitor};

/// Decimal places that are read; further ones round up.
const PLACES: u32 = 18;
const MAX: u128 = i64::MAX as u128 * NANO;
const NANO: u128 = 1_000_000_000;

/// A quantity as it is written. A message of one string in protobuf, a string in JSON (k8s.io/apimachinery
/// `api/resource/generated.proto`), or a bare number, which kube-apiserver takes and turns into a string.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Quantity {
    #[prost(string, tag = "1")]
    pub(crate) string: String,
}

/// The amount that a quantity stands for, in billionths: Kubernetes knows nothing finer, and nothing above 2^63 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount(u128);

impl Amount {
    /// In whole units, rounded up (apimachinery `Quantity.Value`).
    pub(crate) fn value(self) -> u64 {
        u64::try_from(self.0.div_ceil(NANO)).unwrap_or(u64::MAX)
    }

    /// In thousandths, rounded up (`Quantity.MilliValue`).
    pub(crate) fn milli_value(self) -> u64 {
        u64::try_from(self.0.div_ceil(NANO / 1000)).unwrap_or(u64::MAX)
    }

    /// Both of them, as exactly as each: they are rounded only when they are asked for.
    pub(crate) fn plus(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }
}

impl Quantity {
    /// By the rules of apimachinery `api/resource/quantity.go`, `ParseQuantity`: finer amounts round up, larger ones are cut
    /// off. `None` for what it refuses, and for what is negative, which no object has.
    pub(crate) fn amount(&self) -> Option<Amount> {
        let text = self.string.strip_prefix('+').unwrap_or(&self.string);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, places) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + places.len() == 0 || places.contains('.') {
            return None;
        }
        let whole = digits(whole);
        let read = places.len().min(PLACES as usize);
        let (read, rest) = places.split_at(read);
        let missing = PLACES - u32::try_from(read.len()).ok()?;
        let fraction = digits(read) * 10_u128.pow(missing) + u128::from(rest.bytes().any(|digit| digit != b'0'));
        let nanos = match suffix.as_bytes() {
            [prefix, b'i'] => binary(whole, fraction, 10 * power("KMGTPE", *prefix)?),
            suffix => decimal(whole, fraction, exponent(suffix)?),
        };
        Some(Amount(nanos.min(MAX)))
    }
}

/// Saturating: what is so long is above the limit by far.
fn digits(text: &str) -> u128 {
    text.bytes().fold(0, |sum: u128, digit| sum.saturating_mul(10).saturating_add(u128::from(digit - b'0')))
}

/// 1 for the first letter.
fn power(letters: &str, letter: u8) -> Option<u32> {
    let at = letters.bytes().position(|known| known == letter)?;
    u32::try_from(at + 1).ok()
}

/// Of ten. A lone `E` is exa, one with a number after it as `e` is.
fn exponent(suffix: &[u8]) -> Option<i32> {
    match suffix {
        [] => Some(0),
        [b'n'] => Some(-9),
        [b'u'] => Some(-6),
        [b'm'] => Some(-3),
        [b'k'] => Some(3),
        [letter] => Some(3 * i32::try_from(power("KMGTPE", *letter).filter(|_| *letter != b'K')?).ok()?),
        [b'e' | b'E', number @ ..] => std::str::from_utf8(number).ok()?.parse().ok(),
        _ => None,
    }
}

/// `whole` and a fraction of [`PLACES`] places, times 2^`power`, in billionths.
fn binary(whole: u128, fraction: u128, power: u32) -> u128 {
    let factor = 1 << power;
    let whole = whole.saturating_mul(factor).saturating_mul(NANO);
    whole.saturating_add((fraction * factor).div_ceil(10_u128.pow(PLACES - 9)))
}

/// Likewise times 10^`exponent`.
fn decimal(whole: u128, fraction: u128, exponent: i32) -> u128 {
    let (places, billionths) = (i64::from(PLACES), i64::from(exponent) + 9);
    let scaled = |amount: u128, by: i64| match u32::try_from(by) {
        Ok(_) if amount == 0 => 0,
        Ok(by) => 10_u128.checked_pow(by).map_or(u128::MAX, |factor| amount.saturating_mul(factor)),
        Err(_) => u32::try_from(-by).ok().and_then(|by| 10_u128.checked_pow(by)).map_or(1, |by| amount.div_ceil(by)),
    };
    if billionths >= 0 {
        return scaled(whole, billionths).saturating_add(scaled(fraction, billionths - places));
    }
    // A fraction on top is as good as one more: what is left over rounds up.
    scaled(whole.saturating_add(u128::from(fraction > 0)), billionths)
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        deserializer.deserialize_any(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity")
    }

    fn visit_str<E>(self, text: &str) -> Result<Quantity, E> {
        Ok(Quantity { string: text.to_owned() })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Quantity, E> {
        Ok(Quantity { string: number.to_string() })
    }

    fn visit_i64<E>(self, number: i64) -> Result<Quantity, E> {
        Ok(Quantity { string: number.to_string() })
    }

    fn visit_f64<E>(self, number: f64) -> Result<Quantity, E> {
        Ok(Quantity { string: number.to_string() })
    }

    fn visit_unit<E>(self) -> Result<Quantity, E> {
        Ok(Quantity { string: "0".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Option<Amount> {
        Quantity { string: text.to_owned() }.amount()
    }

    fn value(text: &str) -> u64 {
        amount(text).unwrap().value()
    }

    fn milli(text: &str) -> u64 {
        amount(text).unwrap().milli_value()
    }

    /// Rows of apimachinery `api/resource/quantity_test.go` among them.
    #[test]
    fn reads_what_kubernetes_reads() {
        for (text, expected) in [
            ("0", 0),
            ("0n", 0),
            ("1Ki", 1 << 10),
            ("8Ki", 8 << 10),
            ("7Mi", 7 << 20),
            ("6Gi", 6 << 30),
            ("5Ti", 5 << 40),
            ("4Pi", 4 << 50),
            ("3Ei", 3 << 60),
            ("5k", 5000),
            ("6M", 6_000_000),
            ("9G", 9_000_000_000),
            ("8T", 8_000_000_000_000),
            ("50P", 50_000_000_000_000_000),
            ("7E", 7_000_000_000_000_000_000),
            ("10e3", 10_000),
            ("5E3", 5000),
            ("7e-1", 1),
            ("1.5Gi", 1536 << 20),
            ("0.5Mi", 512 << 10),
            (".5Ki", 512),
            ("1.G", 1_000_000_000),
            ("+1k", 1000),
            ("007", 7),
            ("128974848", 128_974_848),
            ("129e6", 129_000_000),
            ("123Mi", 123 << 20),
            ("7800000Ki", 7_800_000 << 10),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn rounds_up_what_is_finer_than_asked_for() {
        for (text, expected) in
            [("100m", 100), ("0.1", 100), ("1", 1000), ("250u", 1), ("1n", 1), ("1.0005", 1001), ("3920m", 3920)]
        {
            assert_eq!(milli(text), expected, "{text}");
        }
        assert_eq!((value("100m"), value("1.1Ki"), value("128974848000m")), (1, 1127, 128_974_848));
        assert_eq!(amount("0.1n"), amount("1n"), "something is something");
        assert_eq!((amount("1.0000000001"), amount("1e-400")), (amount("1000000001n"), amount("1n")));
        assert_eq!(value(&format!("1.{}1", "0".repeat(40))), 2);
    }

    #[test]
    fn cuts_off_what_is_larger_than_kubernetes_knows() {
        let most = i64::MAX.unsigned_abs();
        assert_eq!((value("9E"), value("10E"), value("16Ei"), value("1e400")), (9 * 10_u64.pow(18), most, most, most));
        assert_eq!(value(&"9".repeat(60)), most);
        assert_eq!((value("0e400"), milli("10E")), (0, u64::MAX));
    }

    #[test]
    fn refuses_what_kubernetes_refuses() {
        let refused = [
            "", ".", "Ki", "1K", "1ki", "1KI", "1e", "1e1.5", "1 Gi", "1Gi ", "1.2.3", "1mi", "ten", "1Zi", "-1", "0x1",
        ];
        for text in refused {
            assert_eq!(amount(text), None, "{text}");
        }
    }

    #[test]
    fn a_sum_is_rounded_once() {
        let third = amount("400m").unwrap();
        assert_eq!(third.plus(third).value(), 1);
    }

    #[test]
    fn json_has_strings_and_numbers() {
        let read = |json: &str| serde_json::from_str::<Quantity>(json).unwrap().amount().map(Amount::milli_value);
        assert_eq!([read("\"1500m\""), read("2"), read("0.5"), read("null")], [1500, 2000, 500, 0].map(Some));
        assert_eq!(read("-1"), None);
    }
}
