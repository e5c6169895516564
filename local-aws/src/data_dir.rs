//! The data directory: the files of one run, which one process at a time may use.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process holds it.
    #[error(
        "the data directory {} is in use by another `okite up`{holder}. Stop that one, or name another directory with \
         --data-dir", .path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who holds it, as far as is known.
        holder: String,
    },
    /// It cannot be made, read or written.
    #[error("the data directory {} cannot be used: {source}", .path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A data directory that is ours until this value is dropped or the process ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The lock goes with the file's descriptor.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if need be, takes it, and removes what a run before left for others to read.
    ///
    /// # Errors
    /// [`DataDirError`] says what to do.
    pub fn take(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |source| DataDirError::Unusable {
            path: path.to_owned(),
            source,
        };
        // What is in it is for its owner alone: mails, addresses and a key.
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let known = lock.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
                let holder = if known {
                    format!(" (process {})", pid.trim())
                } else {
                    String::new()
                };
                return Err(DataDirError::InUse {
                    path: path.to_owned(),
                    holder,
                });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let write_pid = |lock: &mut File| {
            lock.set_len(0)?;
            lock.seek(SeekFrom::Start(0))?;
            writeln!(lock, "{}", std::process::id())
        };
        write_pid(&mut lock).map_err(unusable)?;
        let directory = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        directory.withdraw().map_err(unusable)?;
        fs::create_dir_all(directory.logs()).map_err(unusable)?;
        Ok(directory)
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// DynamoDB's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("dynamodb.sqlite")
    }

    /// The mails that SES accepted.
    #[must_use]
    pub fn outbox(&self) -> PathBuf {
        self.path.join("outbox.jsonl")
    }

    /// The messages in queues.
    #[must_use]
    pub fn queues(&self) -> PathBuf {
        self.path.join("queues.jsonl")
    }

    /// How far the clock is ahead, in milliseconds.
    #[must_use]
    pub fn clock(&self) -> PathBuf {
        clock(&self.path)
    }

    /// What the functions print.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Where a run says how to reach it.
    #[must_use]
    pub fn local_json(&self) -> PathBuf {
        local_json(&self.path)
    }

    /// Writes `local.json`, whole or not at all, readable by its owner alone: it holds a key.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn publish(&self, content: &Value) -> io::Result<()> {
        let draft = self.path.join("local.json.new");
        let _ = fs::remove_file(&draft);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(format!("{content:#}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(draft, self.local_json())
    }

    /// Removes `local.json`: nobody can be reached there any more.
    ///
    /// # Errors
    /// If it is there and cannot be removed.
    pub fn withdraw(&self) -> io::Result<()> {
        match fs::remove_file(self.local_json()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Where a run in `data_dir` keeps how far its clock is ahead, in milliseconds.
#[must_use]
pub fn clock(data_dir: &Path) -> PathBuf {
    data_dir.join("clock_ahead_ms")
}

/// Where a run in `data_dir` says how to reach it.
#[must_use]
pub fn local_json(data_dir: &Path) -> PathBuf {
    data_dir.join("local.json")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn is_taken_once_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::take(&folder.path().join("d")).unwrap();
        let error = DataDir::take(first.path()).unwrap_err();
        assert!(
            error.to_string().contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        let path = first.path().to_owned();
        drop(first);
        DataDir::take(&path).unwrap();
    }

    #[test]
    fn publishes_for_its_owner_alone_and_clears_what_a_run_before_left() {
        let folder = tempfile::tempdir().unwrap();
        let directory = DataDir::take(folder.path()).unwrap();
        for n in 0..2 {
            directory.publish(&json!({ "n": n })).unwrap();
        }
        let file = directory.local_json();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            serde_json::from_str::<Value>(&fs::read_to_string(&file).unwrap()).unwrap(),
            json!({ "n": 1 })
        );
        drop(directory);
        DataDir::take(folder.path()).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn says_why_a_directory_cannot_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(DataDir::take(&file), Err(DataDirError::Unusable { .. })));
    }
}
