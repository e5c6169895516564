//! Writes figures into a document between two markers, and keeps the text around them.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};

const BEGIN: &str = "<!-- bench: begin. `bench times` writes what is between these two lines. -->";
const END: &str = "<!-- bench: end -->";

/// Puts `figures` between the markers of the document at `path`, and creates the document if it does not exist.
pub(crate) fn update(path: &Path, figures: &str) -> Result<()> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => format!("# Performance\n\n{BEGIN}\n{END}\n"),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let Some(updated) = replaced(&text, figures) else {
        bail!("{} needs the lines {BEGIN} and {END}, in this order", path.display());
    };
    fs::write(path, updated).with_context(|| format!("{} cannot be written", path.display()))
}

fn replaced(text: &str, figures: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", figures.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_text_between_the_markers_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("PERFORMANCE.md");
        update(&path, "old").unwrap();
        let text = fs::read_to_string(&path).unwrap() + "Words.\n";
        fs::write(&path, text).unwrap();
        update(&path, "new\n").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("# Performance\n\n{BEGIN}\n\nnew\n\n{END}\nWords.\n"));
    }

    #[test]
    fn refuses_a_document_without_markers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("PERFORMANCE.md");
        fs::write(&path, format!("{END}{BEGIN}")).unwrap();
        assert!(update(&path, "new").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{END}{BEGIN}"));
    }
}
