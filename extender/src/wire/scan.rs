//! The short cut for requests that look exactly as kube-scheduler writes them (k/k `pkg/scheduler/extender.go`, `Filter` and `send`;
//! Go's `json.Marshal` keeps the order of the fields and writes no spaces):
//!
//! ```text
//! {"Pod":{...},"Nodes":null,"NodeNames":["a","b"]}
//! ```
//!
//! The pod is left to serde. The names are found by their commas, which a vector instruction looks for, and are not copied.

use std::iter::once;

use super::args::Args;
use super::names::Names;
use super::pod::RawPod;

/// The request, or `None` for everything unusual: then [`super::args::parse`] reads it from the start and finds the same, or the error.
pub(super) fn scan(body: &[u8]) -> Option<Args<'_>> {
    let rest = body.strip_prefix(br#"{"Pod":"#)?;
    let mut pods = serde_json::Deserializer::from_slice(rest).into_iter::<RawPod<'_>>();
    let pod = pods.next()?.ok()?;
    let rest = rest.get(pods.byte_offset()..)?;
    let json = rest.strip_prefix(br#","Nodes":null,"NodeNames":["#)?.strip_suffix(b"]}")?;
    Some(Args { pod: pod.into(), names: names(json)? })
}

/// The strings between the brackets of an array without spaces.
///
/// Cut at every comma, each piece must begin with one quote and end with another, and there must be no quotes beside these: so no comma
/// was inside a string. No backslash: so each string means what it says.
fn names(json: &[u8]) -> Option<Names<'_>> {
    let text = std::str::from_utf8(json).ok()?;
    let quotes = quotes_if_plain(json)?;
    let mut list = Vec::with_capacity(quotes / 2);
    if quotes > 0 {
        let mut from = 0;
        for comma in memchr::memchr_iter(b',', json).chain(once(json.len())) {
            list.push(text.get(from..comma)?.strip_prefix('"')?.strip_suffix('"')?);
            from = comma + 1;
        }
    }
    let all = list.len() * 2 == quotes && (quotes > 0 || json.is_empty());
    all.then_some(Names::Plain { list, json: text })
}

/// How many quotes there are; `None` where a byte is one that JSON forbids in a string or gives a meaning.
fn quotes_if_plain(json: &[u8]) -> Option<usize> {
    // Without branches and counted in bytes, so that the compiler makes vector code of it; 255 is what a byte can count.
    json.chunks(255).try_fold(0, |quotes, chunk| {
        let special = chunk.iter().fold(false, |special, &byte| special | (byte < b' ') | (byte == b'\\'));
        let here: u8 = chunk.iter().map(|&byte| u8::from(byte == b'"')).sum();
        (!special).then_some(quotes + usize::from(here))
    })
}
