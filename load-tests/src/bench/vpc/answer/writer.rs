//! XML as AWS lays it out.

use std::fmt::Write as _;

/// Whose `Query` protocol it is, and what its items are called.
pub(super) enum Api {
    Ec2,
    AutoScaling,
}

/// Indents as AWS does.
pub(super) struct Writer {
    pub(super) text: String,
    depth: usize,
    api: Api,
}

impl Writer {
    pub(super) fn new(api: Api) -> Writer {
        Writer { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), depth: 0, api }
    }

    pub(super) fn put(&mut self, name: &str, value: impl std::fmt::Display) {
        let indent = self.depth * 4;
        writeln!(self.text, "{:indent$}<{name}>{value}</{name}>", "").expect("a String takes everything");
    }

    pub(super) fn within(&mut self, name: &str, inside: impl FnOnce(&mut Writer)) {
        let indent = self.depth * 4;
        writeln!(self.text, "{:indent$}<{name}>", "").expect("a String takes everything");
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        writeln!(self.text, "{:indent$}</{name}>", "").expect("a String takes everything");
    }

    pub(super) fn item(&mut self, inside: impl FnOnce(&mut Writer)) {
        let name = match self.api {
            Api::Ec2 => "item",
            Api::AutoScaling => "member",
        };
        self.within(name, inside);
    }

    pub(super) fn tags(&mut self, tags: &[(&str, &str)]) {
        self.within("tagSet", |xml| {
            for (key, value) in tags {
                xml.item(|xml| {
                    xml.put("key", key);
                    xml.put("value", value);
                });
            }
        });
    }
}
