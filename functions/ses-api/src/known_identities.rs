//! The identities of the account, read from SES and kept for a minute. SES allows one call a second that is not a send,
//! for the whole account, and lists a thousand identities a call.

use aws::{IdentitiesError, Pace, Ses};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::identity::Identity;

/// How long the identities are kept.
const KEPT: SignedDuration = SignedDuration::from_mins(1);

/// Reads the identities.
#[derive(Debug)]
pub(crate) struct KnownIdentities {
    ses: Ses,
    read: Mutex<Option<(Timestamp, Vec<Identity>)>>,
}

impl KnownIdentities {
    pub(crate) fn new(ses: Ses) -> Self {
        Self {
            ses,
            read: Mutex::default(),
        }
    }

    /// Returns the identities as they are or were within the last minute, in the order of their names.
    pub(crate) async fn list(&self, now: Timestamp) -> Result<Vec<Identity>, IdentitiesError> {
        let mut read = self.read.lock().await;
        if let Some((at, identities)) = &*read
            && (SignedDuration::ZERO..KEPT).contains(&now.duration_since(*at))
        {
            return Ok(identities.clone());
        }
        let listed = self.ses.identities(&mut Pace::new(false)).await?;
        let mut identities: Vec<Identity> = listed
            .into_iter()
            .map(|identity| Identity {
                name: identity.name,
                is_verified: identity.is_verified,
            })
            .collect();
        identities.sort_by(|one, other| one.name.cmp(&other.name));
        *read = Some((now, identities.clone()));
        Ok(identities)
    }
}
