//! `ExtenderArgs`, from any JSON that Go would take: keys in any order and case, names with escapes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::RequestError;
use super::names::Names;
use super::pod::{Pod, RawPod, Text};

/// A filter or prioritize request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args<'a> {
    /// The pod.
    pub pod: Pod<'a>,
    /// The nodes that fit otherwise.
    pub names: Names<'a>,
}

/// Decodes any request. [`super::scan`] is the short cut for those that look as Go writes them, and this decides what is right.
pub(super) fn parse(body: &[u8]) -> Result<Args<'_>, RequestError> {
    let RawArgs { pod, names, has_nodes } = serde_json::from_slice(body).map_err(malformed)?;
    let Some(names) = names else {
        return Err(if has_nodes { RequestError::NodesInsteadOfNames } else { RequestError::NoNames });
    };
    Ok(Args { pod, names: Names::Decoded(names) })
}

/// The parser quotes the value that it did not expect, however long: its ends hold what was wrong and where.
fn malformed(error: serde_json::Error) -> RequestError {
    const END_CHARS: usize = 120;
    let text = error.to_string();
    let chars = text.chars().count();
    if chars <= 2 * END_CHARS {
        return RequestError::Malformed(text);
    }
    let head: String = text.chars().take(END_CHARS).collect();
    let tail: String = text.chars().skip(chars - END_CHARS).collect();
    RequestError::Malformed(format!("{head} ... {tail}"))
}

#[derive(Debug, Default)]
struct RawArgs<'a> {
    pod: Pod<'a>,
    names: Option<Vec<Cow<'a, str>>>,
    has_nodes: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawArgs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawArgs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ExtenderArgs")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawArgs<'de>, A::Error> {
                let mut args = RawArgs::default();
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    if key.eq_ignore_ascii_case("pod") {
                        args.pod = map.next_value::<Option<RawPod<'de>>>()?.map(Pod::from).ok_or_else(no_pod)?;
                    } else if key.eq_ignore_ascii_case("nodenames") {
                        let names: Option<Vec<Text<'de>>> = map.next_value()?;
                        args.names = names.map(|names| names.into_iter().map(|name| name.0).collect());
                    } else if key.eq_ignore_ascii_case("nodes") {
                        args.has_nodes = map.next_value::<Option<IgnoredAny>>()?.is_some();
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(args)
            }
        }
        fn no_pod<E: serde::de::Error>() -> E {
            E::custom("Pod is null")
        }
        deserializer.deserialize_map(Fields)
    }
}
