//! Answers as trees, and trees as XML.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use crate::aws::Tags;

/// Content of an element.
pub(super) enum Xml {
    Text(String),
    Map(Map),
    /// A list, with the name of its items: `item` in EC2, `member` in the other Query APIs.
    List(&'static str, Vec<Xml>),
}

/// Child elements in order.
#[derive(Default)]
pub(super) struct Map(Vec<(Cow<'static, str>, Xml)>);

impl Map {
    pub(super) fn new() -> Map {
        Map::default()
    }

    pub(super) fn text(mut self, name: &'static str, value: impl Display) -> Map {
        self.0.push((name.into(), Xml::Text(value.to_string())));
        self
    }

    /// The element only where there is a value: an absent element is AWS's null.
    pub(super) fn maybe(self, name: &'static str, value: Option<impl Display>) -> Map {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(super) fn put(mut self, name: &'static str, value: impl Into<Xml>) -> Map {
        self.0.push((name.into(), value.into()));
        self
    }

    /// The same with one more element before the others.
    pub(super) fn first(mut self, name: impl Into<Cow<'static, str>>, value: Xml) -> Map {
        self.0.insert(0, (name.into(), value));
        self
    }
}

impl From<Map> for Xml {
    fn from(map: Map) -> Xml {
        Xml::Map(map)
    }
}

/// A list of EC2.
pub(super) fn items<T: Into<Xml>>(values: impl IntoIterator<Item = T>) -> Xml {
    Xml::List("item", values.into_iter().map(Into::into).collect())
}

/// A list of the other Query APIs.
pub(super) fn members<T: Into<Xml>>(values: impl IntoIterator<Item = T>) -> Xml {
    Xml::List("member", values.into_iter().map(Into::into).collect())
}

pub(super) fn text(value: impl Display) -> Xml {
    Xml::Text(value.to_string())
}

/// EC2's `tagSet`.
pub(super) fn tag_set(tags: &Tags) -> Xml {
    items(tags.iter().map(|(key, value)| Map::new().text("key", key).text("value", value)))
}

/// A document with one root element.
pub(super) fn document(root: &str, namespace: Option<&str>, content: &Xml) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let attribute = namespace.map(|uri| format!(" xmlns=\"{uri}\"")).unwrap_or_default();
    element(&mut out, root, &attribute, content);
    out
}

fn element(out: &mut String, name: &str, attributes: &str, content: &Xml) {
    // Writing to a String cannot fail.
    write!(out, "<{name}{attributes}>").ok();
    match content {
        Xml::Text(value) => escape(out, value),
        Xml::Map(Map(children)) => children.iter().for_each(|(child, value)| element(out, child, "", value)),
        Xml::List(item, values) => values.iter().for_each(|value| element(out, item, "", value)),
    }
    write!(out, "</{name}>").ok();
}

fn escape(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // XML 1.0 has no other control characters, not even escaped.
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_elements_and_escapes_text() {
        let tags = Tags::from([("a<b".into(), "\"&\u{1}".into())]);
        let map = Map::new()
            .text("id", 7)
            .maybe("none", None::<u32>)
            .put("tagSet", tag_set(&tags))
            .put("empty", items::<Xml>([]));
        assert_eq!(
            document("R", Some("urn:x"), &map.into()),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"urn:x\"><id>7</id><tagSet><item><key>a&lt;b</key>\
             <value>&quot;&amp;\u{fffd}</value></item></tagSet><empty></empty></R>"
        );
    }
}
