//! `docs/troubleshooting.md` against the rows of the log reader. `HEADROOM_UPDATE_DOCS=1` writes the tables anew.

use std::fmt::Write;
use std::path::Path;

use headroom_doctor::log::{Component, Row, rows};

#[test]
fn every_message_has_its_row() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/troubleshooting.md");
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let want = Component::ALL.iter().fold(page.clone(), |page, component| with_table(&page, *component));
    if std::env::var_os("HEADROOM_UPDATE_DOCS").is_some() {
        std::fs::write(&path, want).expect("the page can be written");
    } else {
        let how = "run HEADROOM_UPDATE_DOCS=1 cargo test -p headroom-doctor --test troubleshooting";
        assert!(page == want, "docs/troubleshooting.md is not what the code says; {how}");
    }
}

/// The page with what the code says between `<!-- begin NAME -->` and `<!-- end NAME -->`.
fn with_table(page: &str, component: Component) -> String {
    let (begin, end) = (format!("<!-- begin {} -->\n", component.name()), format!("<!-- end {} -->", component.name()));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("the page has no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the page has no {end}"));
    format!("{before}{begin}{}{end}{after}", table(component))
}

fn table(component: Component) -> String {
    let mut table = "| message | counts | what it means | what to do | cause |\n|---|---|---|---|---|\n".to_owned();
    let rows: Vec<Row> = rows().filter(|row| row.component == component).collect();
    for rows in rows.chunk_by(|a, b| (a.cause, a.when()) == (b.cause, b.when())) {
        let messages: Vec<String> = rows.iter().map(message).collect();
        let (row, messages) = (rows[0], messages.join("<br>"));
        let (label, meaning, remedy) = (row.cause.label(), row.cause.meaning(), row.cause.remedy());
        writeln!(table, "| {messages} | {} | {meaning} | {remedy} | `{label}` |", row.when())
            .expect("a string has room");
    }
    table
}

/// Its parts, which may stand in any order.
fn message(row: &Row) -> String {
    let parts: Vec<String> = row.fragments.iter().map(|part| format!("`{}`", part.trim())).collect();
    parts.join(" with ")
}
