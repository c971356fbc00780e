//! `NodeNames`, and how they go back into a reply.

use std::borrow::Cow;

use super::reply::{write_plain, write_text};

/// The node names of a request, in its order.
#[derive(Clone, Debug)]
pub enum Names<'a> {
    /// As Go writes DNS names: no escapes, no spaces.
    Plain {
        /// The names.
        list: Vec<&'a str>,
        /// The array's inside, `"a","b"`.
        json: &'a str,
    },
    /// In any other form.
    Decoded(Vec<Cow<'a, str>>),
}

impl Names<'_> {
    /// The names.
    #[must_use]
    pub fn list(&self) -> Cow<'_, [&str]> {
        match self {
            Names::Plain { list, .. } => Cow::Borrowed(list),
            Names::Decoded(list) => Cow::Owned(list.iter().map(|name| &**name).collect()),
        }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Names::Plain { list, .. } => list.len(),
            Names::Decoded(list) => list.len(),
        }
    }

    /// Whether the list is empty, as opposed to null.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the name at this position with its quotes.
    pub(super) fn quoted_len(&self, at: usize) -> usize {
        2 + match self {
            Names::Plain { list, .. } => list[at].len(),
            Names::Decoded(list) => list[at].len(),
        }
    }

    /// Appends the name at this position as JSON.
    pub(super) fn write(&self, at: usize, out: &mut Vec<u8>) {
        match self {
            Names::Plain { list, .. } => write_plain(list[at], out),
            Names::Decoded(list) => write_text(&list[at], out),
        }
    }
}

/// Equal if the names are, however they were written.
impl PartialEq for Names<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.list() == other.list()
    }
}

impl Eq for Names<'_> {}
