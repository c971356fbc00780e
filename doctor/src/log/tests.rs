//! Every row has a sample.

use super::table::Table;

#[test]
fn every_row_is_met_by_a_sample() {
    let table = Table::new(super::rows());
    let mut met = vec![false; table.rows.len()];
    for line in include_str!("../../tests/log/faulty.txt").lines() {
        for (row, _) in table.see(line).iter().flat_map(|sight| sight.rows()) {
            met[row] = true;
        }
    }
    let not: Vec<_> = table.rows.iter().zip(met).filter(|(_, met)| !met).map(|(row, _)| row.fragments).collect();
    assert!(not.is_empty(), "no line of tests/log/faulty.txt meets {not:?}");
}
