//! EC2's answers, read as they go by: no tree is built, and what is not asked for is only stepped over.

use std::borrow::Cow;
use std::str::FromStr;

use memchr::{memchr, memchr2, memmem};
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};
use thiserror::Error;

/// An answer that is not what EC2's API reference promises.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Malformed {
    /// It is no XML, or ends too early.
    #[error("is no XML: {0}")]
    Syntax(String),
    /// It is no JSON, or none of that form.
    #[error("is not the JSON that it should be: {0}")]
    Json(String),
    /// An element that every answer or every row has is not there.
    #[error("has no '{0}'")]
    Missing(&'static str),
    /// An element's text is not of its type.
    #[error("has '{text}' as '{name}'")]
    Value {
        /// The element.
        name: &'static str,
        /// Its text.
        text: String,
    },
}

impl From<quick_xml::Error> for Malformed {
    fn from(error: quick_xml::Error) -> Malformed {
        Malformed::Syntax(error.to_string())
    }
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page<T> {
    /// What it lists.
    pub(super) rows: Vec<T>,
    /// `nextToken`; `None` on the last page.
    pub(super) next: Option<String>,
}

/// An answer, somewhere inside one of its elements.
pub(super) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    /// That element has neither text nor children: `<a/>`.
    empty: bool,
}

impl<'a> Xml<'a> {
    /// Gives `read` the inside of the root element.
    pub(super) fn root<T>(
        body: &'a [u8],
        read: impl FnOnce(&mut Xml<'a>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let mut xml = Xml { reader: Reader::from_reader(body), empty: false };
        loop {
            match xml.reader.read_event()? {
                Event::Start(_) => return read(&mut xml),
                Event::Eof => return Err(Malformed::Missing("root element")),
                _ => {}
            }
        }
    }

    /// Reads a listing: its rows are the items of `set`.
    pub(super) fn page<T>(
        body: &'a [u8],
        set: &'static str,
        mut row: impl FnMut(&mut Xml<'a>) -> Result<Option<T>, Malformed>,
    ) -> Result<Page<T>, Malformed> {
        let (mut rows, mut next) = (None, None);
        Xml::root(body, |xml| {
            xml.each(|xml, name| {
                match name {
                    name if name == set => rows = Some(xml.list(&mut row)?),
                    "nextToken" => next = xml.some_text()?,
                    _ => xml.skip()?,
                }
                Ok(())
            })
        })?;
        Ok(Page { rows: rows.ok_or(Malformed::Missing(set))?.into_iter().flatten().collect(), next })
    }

    /// Calls `child` with the name of each child of the element that it is in, and leaves that element. `child` has to leave
    /// the child's element.
    pub(super) fn each(
        &mut self,
        mut child: impl FnMut(&mut Xml<'a>, &str) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        while !std::mem::take(&mut self.empty) {
            match self.tag()? {
                Event::Start(start) => child(self, start.name().0)?,
                Event::Empty(start) => {
                    self.empty = true;
                    child(self, start.name().0)?;
                }
                Event::End(_) => return Ok(()),
                Event::Eof => return Err(truncated()),
                _ => {}
            }
        }
        Ok(())
    }

    /// The same for a list: `item` has to leave the item's element.
    pub(super) fn items(
        &mut self,
        mut item: impl FnMut(&mut Xml<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.each(|xml, name| if name == "item" { item(xml) } else { xml.skip() })
    }

    /// The items of a list, as `item` reads them.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Xml<'a>) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let mut all = Vec::new();
        self.items(|xml| {
            all.push(item(xml)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The text of the element that it is in, which it leaves.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if std::mem::take(&mut self.empty) {
            return Ok(Cow::Borrowed(""));
        }
        let mut text = self.plain_text()?;
        loop {
            let part = match self.reader.read_event()? {
                Event::Text(part) => part.into_inner(),
                Event::CData(part) => part.into_inner(),
                Event::GeneralRef(reference) => resolve(&reference)?,
                Event::End(_) => return Ok(text),
                Event::Start(start) | Event::Empty(start) => {
                    let name = start.name().0;
                    return Err(Malformed::Syntax(format!("element '{name}' where text should be")));
                }
                Event::Eof => return Err(truncated()),
                _ => continue,
            };
            text.to_mut().push_str(&part);
        }
    }

    /// Text as far as it is nothing but text, in one step: nearly all of it is, and there are millions.
    fn plain_text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let rest = self.reader.get_mut();
        let (text, after) = rest.split_at(memchr2(b'<', b'&', rest).unwrap_or(rest.len()));
        *rest = after;
        str::from_utf8(text).map(Cow::Borrowed).map_err(|error| Malformed::Syntax(error.to_string()))
    }

    /// The next tag; the text before it is of no interest.
    fn tag(&mut self) -> Result<Event<'a>, Malformed> {
        let rest = self.reader.get_mut();
        *rest = rest.split_at(memchr(b'<', rest).unwrap_or(rest.len())).1;
        Ok(self.reader.read_event()?)
    }

    /// The text, `None` where it is empty.
    pub(super) fn some_text(&mut self) -> Result<Option<String>, Malformed> {
        let text = self.text()?;
        Ok((!text.is_empty()).then(|| text.into_owned()))
    }

    /// The text as a value.
    pub(super) fn value<T: FromStr>(&mut self, name: &'static str) -> Result<T, Malformed> {
        let text = self.text()?;
        text.parse().map_err(|_| Malformed::Value { name, text: text.into_owned() })
    }

    /// Leaves the element that it is in, whose end tag is `end` and which holds no other of its name, in one step: what is large
    /// and of no interest costs next to nothing.
    pub(super) fn skip_to(&mut self, end: &str) -> Result<(), Malformed> {
        if std::mem::take(&mut self.empty) {
            return Ok(());
        }
        let rest = self.reader.get_mut();
        let at = memmem::find(rest, end.as_bytes()).ok_or_else(truncated)?;
        *rest = rest.split_at(at).1;
        // It checks that it is this element's.
        self.reader.read_event()?;
        Ok(())
    }

    /// Gives `read` the bytes inside the element that it is in, whose end tag is `end` and which holds no other of its name, and
    /// leaves it. Where `read` does not know what to make of them it gives `None`, and the element is still to be read.
    pub(super) fn inside<T>(
        &mut self,
        end: &str,
        read: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        if self.empty {
            return Ok(None);
        }
        let rest = self.reader.get_mut();
        let Some((inside, after)) = memmem::find(rest, end.as_bytes()).map(|at| rest.split_at(at)) else {
            return Ok(None);
        };
        let Some(read) = read(inside) else { return Ok(None) };
        *rest = after;
        // It checks that it is this element's.
        self.reader.read_event()?;
        Ok(Some(read))
    }

    /// Leaves the element that it is in.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        let mut depth = if std::mem::take(&mut self.empty) { 0 } else { 1_u32 };
        while depth > 0 {
            match self.tag()? {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth -= 1,
                Event::Eof => return Err(truncated()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn truncated() -> Malformed {
    Malformed::Syntax("it ends inside an element".to_owned())
}

fn resolve<'a>(reference: &BytesRef<'_>) -> Result<Cow<'a, str>, Malformed> {
    if let Some(character) = reference.resolve_char_ref()? {
        return Ok(Cow::Owned(character.to_string()));
    }
    let name = reference.xml10_content();
    let known = resolve_xml_entity(&name).map(Cow::Borrowed);
    known.ok_or_else(|| Malformed::Syntax(format!("unknown entity '{name}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(body: &str) -> Result<Page<String>, Malformed> {
        Xml::page(body.as_bytes(), "set", |xml| {
            let mut id = None;
            xml.each(|xml, name| {
                match name {
                    "id" => id = xml.some_text()?,
                    _ => xml.skip()?,
                }
                Ok(())
            })?;
            Ok(id)
        })
    }

    #[test]
    fn pages_are_read_whatever_else_they_hold() {
        let body = "<?xml version=\"1.0\"?>\n<R xmlns=\"urn:x\">\n <requestId>1</requestId>\n <set>\n  <item>\n   \
                    <deep><item><id>no</id></item></deep><id>a</id><empty/></item><item><id/></item>\n  \
                    <item><id>x&amp;&#60;y<![CDATA[&z]]></id></item>\n </set><nextToken>more</nextToken></R>";
        let page = Page { rows: vec!["a".to_owned(), "x&<y&z".to_owned()], next: Some("more".to_owned()) };
        assert_eq!(ids(body), Ok(page));
        assert_eq!(ids("<R><set/><nextToken/></R>"), Ok(Page { rows: vec![], next: None }));
    }

    #[test]
    fn what_is_left_in_one_step_is_left_at_its_end() {
        let read = |body: &str| {
            let mut after = None;
            let read = Xml::root(body.as_bytes(), |xml| {
                xml.each(|xml, name| {
                    match name {
                        "big" => xml.skip_to("</big>")?,
                        _ => after = xml.some_text()?,
                    }
                    Ok(())
                })
            });
            read.map(|()| after)
        };
        assert_eq!(read("<R><big><item><id>no</id></item><big2/></big><id>a</id></R>"), Ok(Some("a".to_owned())));
        assert_eq!(read("<R><big/><id>a</id></R>"), Ok(Some("a".to_owned())));
        for body in ["<R><big><id>a</id></R>", "<R><big><x></big></big></R>"] {
            assert!(matches!(read(body), Err(Malformed::Syntax(_))), "{body}");
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error_and_not_an_empty_page() {
        assert_eq!(ids("<html>502</html>"), Err(Malformed::Missing("set")));
        assert_eq!(ids(""), Err(Malformed::Missing("root element")));
        for body in ["<R><set><item><id>a", "<R><set><item></set></R>", "<R><set><item><id><x/></id></item></set></R>"]
        {
            assert!(matches!(ids(body), Err(Malformed::Syntax(_))), "{body}");
        }
    }
}
