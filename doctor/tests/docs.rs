//! docs/doctor.md, held against the code. `HEADROOM_UPDATE_DOCS=1` writes the table between its markers anew.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use headroom_doctor::Cause;

#[test]
fn every_cause_has_its_row() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/doctor.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- begin causes -->\n", "<!-- end causes -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (table, after) = rest.split_once(end).unwrap();
    let mut want = "| cause | meaning | what to do |\n|---|---|---|\n".to_owned();
    for cause in Cause::ALL {
        want.push_str(&format!("| `{}` | {} | {} |\n", cause.label(), cause.meaning(), cause.remedy()));
    }
    if std::env::var_os("HEADROOM_UPDATE_DOCS").is_some() && table != want {
        std::fs::write(&path, format!("{before}{begin}{want}{end}{after}")).unwrap();
    } else {
        let how = "run HEADROOM_UPDATE_DOCS=1 cargo test -p headroom-doctor --test docs";
        assert_eq!(table, want, "docs/doctor.md is not what the code says; {how}");
    }
}
