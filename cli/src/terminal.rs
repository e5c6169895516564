//! Tables for people: columns that stand under each other, figures, and texts that do nothing to a terminal.

use std::iter;

/// Sets rows under a header, each column as wide as its widest cell.
pub(crate) fn aligned<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = iter::once(header.map(str::to_owned)).chain(rows).collect();
    let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| shown(cell))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A text as a terminal may have it: what somebody wrote into a table does nothing there.
pub(crate) fn shown(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
