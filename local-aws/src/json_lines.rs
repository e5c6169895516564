//! A file of JSON lines that survives the process, even one that is killed.
//!
//! A line is in the file before it counts. A process that is killed while it writes leaves an incomplete last line,
//! which no caller has been told about. It is cut off when the file is opened again.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// An open file to which lines are added.
#[derive(Debug)]
pub(crate) struct JsonLines {
    path: PathBuf,
    file: File,
}

impl JsonLines {
    /// Opens the file, creates it if it does not exist, and reads its lines.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written, or holds a line of another shape.
    pub(crate) fn open<T: DeserializeOwned>(path: PathBuf) -> io::Result<(Self, Vec<T>)> {
        let mut file = open_for_append(&path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let whole = content.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        if whole < content.len() {
            tracing::warn!("the last line of {} is incomplete and is dropped", path.display());
            file.set_len(whole as u64)?;
        }
        let read = |(index, line)| {
            serde_json::from_slice(line).map_err(|error| {
                let number = index + 1;
                let message = format!("{}, line {number}: {error}", path.display());
                io::Error::new(io::ErrorKind::InvalidData, message)
            })
        };
        let lines = content[..whole].split_inclusive(|b| *b == b'\n').enumerate();
        let lines = lines.map(read).collect::<io::Result<_>>()?;
        Ok((Self { path, file }, lines))
    }

    /// Adds a line. If that fails, the file is unchanged.
    pub(crate) fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        self.append_all([line])
    }

    /// Adds lines, all or none. A process that is killed meanwhile may leave the first of them.
    pub(crate) fn append_all<T: Serialize>(&mut self, lines: impl IntoIterator<Item = T>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let before = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&bytes) {
            self.file.set_len(before)?;
            return Err(error);
        }
        Ok(())
    }

    /// Replaces all lines.
    pub(crate) fn rewrite<T: Serialize>(&mut self, lines: impl Iterator<Item = T>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
        }
        // A rename, so that a kill leaves either the old file or the new one.
        let new = self.path.with_extension("new");
        std::fs::write(&new, &bytes)?;
        std::fs::rename(&new, &self.path)?;
        self.file = open_for_append(&self.path)?;
        Ok(())
    }
}

fn open_for_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_a_torn_last_line_and_writes_on_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        std::fs::write(&path, "1\n2\n[3").unwrap();
        let (mut file, lines) = JsonLines::open::<u8>(path.clone()).unwrap();
        assert_eq!(lines, [1, 2]);
        file.append(&4).unwrap();
        assert_eq!(JsonLines::open::<u8>(path.clone()).unwrap().1, [1, 2, 4]);
        file.rewrite([5].iter()).unwrap();
        file.append(&6).unwrap();
        assert_eq!(JsonLines::open::<u8>(path).unwrap().1, [5, 6]);
    }

    #[test]
    fn names_the_line_that_is_not_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        std::fs::write(&path, "1\nhello\n").unwrap();
        let refusal = JsonLines::open::<u8>(path).unwrap_err();
        assert!(refusal.to_string().contains("lines.jsonl, line 2"), "{refusal}");
    }
}
