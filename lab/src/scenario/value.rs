//! Scalars of a scenario file, parsed where they are read.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use headroom_capacity::subnet::Cidr;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A length of time, written `250ms`, `30s`, `2m 30s`, `1h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// An IPv4 block, written `10.0.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block(pub Cidr);

/// A Kubernetes resource quantity, written `250m`, `2`, `64Mi`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    text: String,
    milli: u64,
}

impl Quantity {
    /// Parses the forms that people write for CPU and memory.
    ///
    /// # Errors
    /// When the text is not a number with one of the suffixes m, k, M, G, Ki, Mi, Gi.
    pub fn parse(text: &str) -> Result<Quantity, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        let scale: f64 = match suffix {
            "m" => 1.0,
            "" => 1e3,
            "k" => 1e6,
            "M" => 1e9,
            "G" => 1e12,
            "Ki" => 1024.0 * 1e3,
            "Mi" => 1024.0 * 1024.0 * 1e3,
            "Gi" => 1024.0 * 1024.0 * 1024.0 * 1e3,
            _ => f64::NAN,
        };
        let milli = number.parse::<f64>().map_or(f64::NAN, |number| number * scale);
        if !(0.0..1e18).contains(&milli) {
            return Err(format!("'{text}' is not a quantity such as 250m, 2, 64Mi or 1.5Gi"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and 1e18, just checked")]
        Ok(Quantity { text: text.to_owned(), milli: milli.ceil() as u64 })
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// In thousandths, rounded up: millicores for CPU.
    #[must_use]
    pub const fn milli(&self) -> u64 {
        self.milli
    }

    /// In units, rounded up: bytes for memory.
    #[must_use]
    pub const fn units(&self) -> u64 {
        self.milli.div_ceil(1000)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map(Span)
            .map_err(|error| de::Error::custom(format!("'{text}' is not a duration such as 250ms, 30s or 2m: {error}")))
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Block, D::Error> {
        let text = String::deserialize(deserializer)?;
        Cidr::parse(&text).map(Block).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        let text = String::deserialize(deserializer)?;
        Quantity::parse(&text).map_err(de::Error::custom)
    }
}

macro_rules! text_schema {
    ($name:ident, $pattern:literal, $example:literal) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        }
    };
}

text_schema!(Span, r"^\s*([0-9]+\s*(ms|s|sec|m|min|h|hr|d|days?)\s*)+$|^0$", "30s");
text_schema!(Block, r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$", "10.0.0.0/24");
text_schema!(Quantity, r"^[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$", "64Mi");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!(Quantity::parse("50m").unwrap().milli(), 50);
        assert_eq!(Quantity::parse("1.5").unwrap().milli(), 1500);
        assert_eq!(Quantity::parse("64Mi").unwrap().units(), 64 << 20);
        for wrong in ["", "m", "5x", "-1", "1e3", "1.2.3"] {
            assert!(Quantity::parse(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
