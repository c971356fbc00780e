//! Documents that repeat what the code says, held against it.

use headroom_capacity::verdict::Reason;

#[test]
fn every_reason_has_its_row() {
    let page = include_str!("../../docs/extender.md");
    let section = page.split("\n## ").find(|section| section.starts_with("Reasons")).unwrap_or_default();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let label = cells.next()?.trim_end_matches('`');
        let (message, remedy) = (cells.next()?, cells.next()?);
        assert!(!remedy.is_empty(), "{label} says what to do");
        Some((label, message))
    });
    let rows: Vec<(&str, &str)> = rows.collect();
    let want: Vec<(&str, &str)> = Reason::ALL.iter().map(|reason| (reason.label(), reason.as_str())).collect();
    assert_eq!(rows, want);
}
