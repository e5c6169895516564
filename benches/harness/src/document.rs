//! Writes text into a document between two markers, and keeps the text around them.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// A part of the document that the harness writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    begin: &'static str,
    end: &'static str,
}

/// The first lines: the figures that a reader wants first.
pub(crate) const HEADLINE: Part = Part {
    begin: "<!-- bench headline: begin. `bench times` writes what is between these two lines. -->",
    end: "<!-- bench headline: end -->",
};
/// The chart and the tables.
pub(crate) const FIGURES: Part = Part {
    begin: "<!-- bench: begin. `bench times` writes what is between these two lines. -->",
    end: "<!-- bench: end -->",
};

/// Puts `text` into a part of the document at `path`, and creates the document if it does not exist.
pub(crate) fn update(path: &Path, part: Part, text: &str) -> Result<()> {
    let document = match fs::read_to_string(path) {
        Ok(document) => document,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parts = [HEADLINE, FIGURES].map(|Part { begin, end }| format!("{begin}\n{end}\n"));
            format!("# Performance\n\n{}", parts.join("\n"))
        }
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let Some(updated) = replaced(&document, part, text) else {
        let Part { begin, end } = part;
        bail!("{} needs the lines {begin} and {end}, in this order", path.display());
    };
    fs::write(path, updated).with_context(|| format!("{} cannot be written", path.display()))
}

fn replaced(document: &str, Part { begin, end }: Part, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_text_between_the_markers_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("PERFORMANCE.md");
        update(&path, FIGURES, "old").unwrap();
        let text = fs::read_to_string(&path).unwrap() + "Words.\n";
        fs::write(&path, text).unwrap();
        update(&path, FIGURES, "new\n").unwrap();
        update(&path, HEADLINE, "first").unwrap();
        let [first, figures] = [(HEADLINE, "first"), (FIGURES, "new")]
            .map(|(Part { begin, end }, text)| format!("{begin}\n\n{text}\n\n{end}\n"));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("# Performance\n\n{first}\n{figures}Words.\n"));
    }

    #[test]
    fn refuses_a_document_without_markers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("PERFORMANCE.md");
        let Part { begin, end } = FIGURES;
        fs::write(&path, format!("{end}{begin}")).unwrap();
        assert!(update(&path, FIGURES, "new").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{end}{begin}"));
    }
}
