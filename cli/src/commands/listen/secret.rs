//! The secret that signs what is forwarded. It stays the same, so that the application keeps its setting:
//!
//! - the variable `OKITE_WEBHOOK_SECRET` of the command, if it is set,
//! - else for an `okite up` the file `listen-secret` of its data directory, which the first run writes,
//! - else a new one: a stack has no place for the secret of one developer.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use domain::webhook::SigningSecret;

use crate::commands::webhooks::SECRET_VARIABLE;
use crate::target::Target;
use crate::webhook_tables::{WebhookError, draw_secret};

const FILE: &str = "listen-secret";

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    #[error("{SECRET_VARIABLE} must be whsec_ and 32 bytes in base64. To use another secret, unset it")]
    Variable,
    #[error("{} holds no secret. Delete it to get a new one", .0.display())]
    Content(PathBuf),
    #[error("{} could not be read or written: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Random(#[from] WebhookError),
}

/// Returns the secret for the events of a target.
pub(super) fn of(target: &Target) -> Result<SigningSecret, SecretError> {
    let variable = std::env::var(SECRET_VARIABLE).ok().filter(|text| !text.is_empty());
    match (variable, target) {
        (Some(text), _) => SigningSecret::parse(text.trim()).ok_or(SecretError::Variable),
        (None, Target::Local { data_dir }) if data_dir.is_dir() => kept_in(data_dir),
        (None, _) => Ok(draw_secret()?),
    }
}

/// Returns the secret of a data directory; makes it if there is none.
fn kept_in(data_dir: &Path) -> Result<SigningSecret, SecretError> {
    let path = data_dir.join(FILE);
    let file_error = |source| SecretError::File {
        path: path.clone(),
        source,
    };
    match fs::read_to_string(&path) {
        Ok(text) => return SigningSecret::parse(text.trim()).ok_or_else(|| SecretError::Content(path.clone())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(file_error(error)),
    }
    let secret = draw_secret()?;
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let written = created.and_then(|mut file| writeln!(file, "{}", secret.reveal()));
    written.map_err(file_error)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_secret_of_a_data_directory_stays_and_belongs_to_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = kept_in(folder.path()).unwrap();
        assert_eq!(kept_in(folder.path()).unwrap(), first);
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(folder.path().join(FILE), "nothing").unwrap();
        let error = kept_in(folder.path()).unwrap_err().to_string();
        assert!(error.contains("Delete it"), "{error}");
    }
}
