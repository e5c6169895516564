//! The tables in the documents, between `<!-- costs: begin NAME -->` and `<!-- costs: end NAME -->`.

use std::path::PathBuf;

/// How far the numbers of an approximate table may be off: sizes depend on times and ids.
const TOLERANCE: f64 = 0.03;

/// A document with tables.
pub(super) struct Document {
    path: PathBuf,
    pub(super) text: String,
}

/// How a table is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// To the unit. Half a unit of reading, which is one read more or less of an index that follows its table late, is
    /// no difference.
    Exact,
    /// Up to some percent.
    Approximate,
}

impl Document {
    /// Reads a document by its path in the project.
    pub(super) fn read(path: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        let text = std::fs::read_to_string(&path).unwrap();
        Self { path, text }
    }

    /// Puts a table into its place. Returns the difference from what was there, if it is one that matters.
    pub(super) fn put(&mut self, name: &str, numbers: Numbers, table: &str) -> Option<String> {
        let (begin, end) = (
            format!("<!-- costs: begin {name} -->\n\n"),
            format!("<!-- costs: end {name} -->"),
        );
        let (before, rest) = self
            .text
            .split_once(&begin)
            .unwrap_or_else(|| panic!("no place for the table {name}"));
        let (old, after) = rest.split_once(&end).unwrap();
        let difference = difference(old.trim_end(), table.trim_end(), numbers);
        let difference = difference.map(|difference| format!("table {name} of {}:\n{difference}", self.path.display()));
        self.text = format!("{before}{begin}{table}\n{end}{after}");
        difference
    }

    /// Writes the document.
    pub(super) fn write(&self) {
        std::fs::write(&self.path, &self.text).unwrap();
    }
}

/// Returns the lines that differ.
fn difference(old: &str, new: &str, numbers: Numbers) -> Option<String> {
    let mut lines = Vec::new();
    let count = old.lines().count().max(new.lines().count());
    for index in 0..count {
        let (old, new) = (
            old.lines().nth(index).unwrap_or_default(),
            new.lines().nth(index).unwrap_or_default(),
        );
        if !is_same(old, new, numbers) {
            lines.push(format!("- {old}\n+ {new}"));
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn is_same(old: &str, new: &str, numbers: Numbers) -> bool {
    let words = |line: &str| line.split([' ', '|', '*']).map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (words(old), words(new));
    old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| is_near(old, new, numbers))
}

/// Returns whether two words are the same, or numbers that are near to each other.
fn is_near(old: &str, new: &str, numbers: Numbers) -> bool {
    let number = |word: &str| word.replace(',', "").parse::<f64>().ok();
    let (Some(from), Some(to)) = (number(old), number(new)) else {
        return old == new;
    };
    if numbers == Numbers::Exact {
        return (from - to).abs() <= 0.5;
    }
    let decimals = old.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let last_place = 0.1_f64.powi(i32::try_from(decimals).unwrap());
    (from - to).abs() <= from.abs().max(to.abs()) * TOLERANCE + 1.01 * last_place
}

#[test]
fn a_unit_more_is_a_difference_and_a_few_bytes_are_none() {
    let (old, new) = (
        "| a | 7 | 1.02 kB |\n| b | 1 | 3 |",
        "| a | 8 | 1.02 kB |\n| b | 1 | 3 |",
    );
    assert_eq!(
        difference(old, new, Numbers::Exact).unwrap(),
        "- | a | 7 | 1.02 kB |\n+ | a | 8 | 1.02 kB |"
    );
    assert_eq!(difference(old, old, Numbers::Exact), None);
    assert_eq!(difference("| 28.5 |", "| 28 |", Numbers::Exact), None);
    assert!(difference("| 4 |", "| 4 |  |", Numbers::Exact).is_some());
    assert_eq!(difference("| **7.02** |", "| **7.04** |", Numbers::Approximate), None);
    assert!(difference("| **7.02** |", "| **7.64** |", Numbers::Approximate).is_some());
    assert!(difference("| a |", "| b |", Numbers::Approximate).is_some());
    assert!(difference("| a |", "| a |\n| b |", Numbers::Approximate).is_some());
}
