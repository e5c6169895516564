//! What holds for the source of this crate as a whole.

#![expect(clippy::unwrap_used, reason = "a source file that cannot be read fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Words of the application that is developed beside this crate. The caller passes such words in; none is written here.
const WORDS_OF_THE_APPLICATION: [&str; 23] = [
    "okite",
    "ok_local",
    "send-api",
    "send api",
    "sendapi",
    "ses-api",
    "sesapi",
    "quota-reporter",
    "quota reporter",
    "quotareporter",
    "feedbacktopic",
    "feedback topic",
    "feedback function",
    "feedbackretryqueue",
    "feedbackdeadletterqueue",
    "suppressionstable",
    "messagestable",
    "apikeystable",
    "usagetable",
    "webhookstable",
    "deliveriestable",
    "webhookqueue",
    "webhooks",
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn source() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = files(&folder).into_iter().map(|file| {
        let name = file.strip_prefix(&folder).unwrap().display().to_string();
        (name, std::fs::read_to_string(&file).unwrap())
    });
    files.collect()
}

#[test]
fn knows_no_word_of_the_application() {
    let source = source();
    assert!(source.iter().any(|(name, _)| name == "lib.rs"));
    for (name, text) in source {
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.to_ascii_lowercase();
            for word in WORDS_OF_THE_APPLICATION {
                assert!(!line.contains(word), "src/{name}:{number} has `{word}`");
            }
        }
    }
}

/// Reads the name of a type that a line declares for users of this crate.
fn public_type(line: &str) -> Option<&str> {
    let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    rest.split(|c: char| !c.is_alphanumeric()).next()
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut declared: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in source() {
        for name in text.lines().filter_map(public_type) {
            let before = declared.insert(name.to_owned(), file.clone());
            assert_eq!(before, None, "{name} is also declared in {file}");
        }
    }
    assert!(declared.contains_key("LocalAws"), "{declared:?}");
}
