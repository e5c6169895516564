//! The data directory: the files of a run. One process at a time may use it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The file that every run has opened, so that a directory with it is one of ours.
const DATABASE: &str = "dynamodb.sqlite";
/// The file of the lock.
const LOCK: &str = "lock";
/// The names that a directory without a database may have: those of a run, and what version control and file systems
/// put into an empty directory.
const NOT_FOREIGN: [&str; 11] = [
    LOCK,
    "logs",
    "local.json",
    "clock_ahead_ms",
    "outbox.jsonl",
    "queues.jsonl",
    "ses_account.jsonl",
    ".gitignore",
    ".gitkeep",
    ".DS_Store",
    "lost+found",
];

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process uses it.
    #[error("the data directory {} is in use by {holder}", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// That process, with its id if it is known: `process 1234`.
        holder: String,
    },
    /// It has files of something else, and no run has used it.
    #[error("the directory {} has other files, such as {}, so nothing was written there", .path.display(), .example.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// The name of one of these files.
        example: PathBuf,
    },
    /// It, or a folder above it, is a file.
    #[error("the data directory {} cannot be used, because {} is a file", .path.display(), .file.display())]
    NotADirectory {
        /// The directory.
        path: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// It cannot be created, read or written.
    #[error("the data directory {} cannot be used: {source}", .path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl DataDirError {
    /// Makes the error about a directory that the file system refuses.
    fn unusable(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let is_file = |path: &&Path| fs::metadata(path).is_ok_and(|found| !found.is_dir());
        match path.ancestors().find(is_file).map(Path::to_owned) {
            Some(file) => Self::NotADirectory { path, file },
            None => Self::Unusable { path, source },
        }
    }
}

/// A data directory that this process owns until the value is dropped or the process ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Holds the lock, which ends with the file's descriptor.
    _lock: File,
}

impl DataDir {
    /// Creates the directory if it does not exist, locks it, and removes the `local.json` of an earlier run.
    ///
    /// # Errors
    /// Returns a [`DataDirError`] if the directory has files of something else or is a file, if another process uses
    /// it, or if the file system refuses.
    pub fn take(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |source| DataDirError::unusable(path, source);
        if let Some(example) = foreign_file(path).map_err(unusable)? {
            let path = path.to_owned();
            return Err(DataDirError::Foreign { path, example });
        }
        // It holds mails, addresses and a key, so only its owner may read it.
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let known = lock.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
                let holder = if known {
                    format!("process {}", pid.trim())
                } else {
                    "another process".to_owned()
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

    /// Returns the path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file of DynamoDB.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Returns the file of the mails that SES accepted.
    #[must_use]
    pub fn outbox(&self) -> PathBuf {
        self.path.join("outbox.jsonl")
    }

    /// Returns the file of the SES account: its settings, identities and suppression list.
    #[must_use]
    pub fn account(&self) -> PathBuf {
        self.path.join("ses_account.jsonl")
    }

    /// Returns the file of the messages in queues.
    #[must_use]
    pub fn queues(&self) -> PathBuf {
        self.path.join("queues.jsonl")
    }

    /// Returns the file with the milliseconds by which the clock is ahead.
    #[must_use]
    pub fn clock(&self) -> PathBuf {
        clock(&self.path)
    }

    /// Returns the directory of the functions' logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Returns the file with the URLs of the run.
    #[must_use]
    pub fn local_json(&self) -> PathBuf {
        local_json(&self.path)
    }

    /// Writes `local.json` completely or not at all. Only its owner can read it, because it holds a key.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
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

    /// Removes `local.json`, because its URLs are no longer served.
    ///
    /// # Errors
    /// Returns an error if the file exists and cannot be removed.
    pub fn withdraw(&self) -> io::Result<()> {
        match fs::remove_file(self.local_json()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Returns the name of a file in a directory that no run has used.
fn foreign_file(path: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let names = entries.map(|entry| entry.map(|entry| PathBuf::from(entry.file_name())));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    if names.iter().any(|name| name == Path::new(DATABASE)) {
        return Ok(None);
    }
    names.sort();
    let is_foreign = |name: &PathBuf| !NOT_FOREIGN.iter().any(|known| name == Path::new(known));
    Ok(names.into_iter().find(is_foreign))
}

/// Returns the file of a run in `data_dir` with the milliseconds by which its clock is ahead.
#[must_use]
pub fn clock(data_dir: &Path) -> PathBuf {
    data_dir.join("clock_ahead_ms")
}

/// Returns the file of a run in `data_dir` with its URLs.
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
    fn does_not_write_among_the_files_of_something_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let error = DataDir::take(folder.path()).unwrap_err();
        assert!(matches!(&error, DataDirError::Foreign { example, .. } if example == Path::new("notes.txt")));
        assert!(error.to_string().contains("notes.txt"), "{error}");
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
        // One that has been used is still ours when its owner puts a file into it.
        fs::write(folder.path().join(DATABASE), "").unwrap();
        DataDir::take(folder.path()).unwrap();
    }

    #[test]
    fn takes_an_empty_directory_and_one_whose_first_start_failed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".gitignore"), "*").unwrap();
        for _ in 0..2 {
            drop(DataDir::take(folder.path()).unwrap());
        }
    }

    #[test]
    fn names_the_file_that_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "mine").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = DataDir::take(&path).unwrap_err();
            assert!(
                matches!(&error, DataDirError::NotADirectory { file: named, .. } if *named == file),
                "{error}"
            );
            assert!(error.to_string().ends_with("file is a file"), "{error}");
        }
        assert_eq!(fs::read_to_string(file).unwrap(), "mine");
    }

    #[test]
    fn says_why_a_directory_cannot_be_used() {
        let folder = tempfile::tempdir().unwrap();
        // A name that no file system takes, whoever runs the test.
        let error = DataDir::take(&folder.path().join("a".repeat(300))).unwrap_err();
        assert!(matches!(error, DataDirError::Unusable { .. }), "{error}");
    }
}
