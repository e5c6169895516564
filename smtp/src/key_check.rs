//! The validity of API keys, remembered for a short time: a check costs at most one request to Okite, and a client that
//! tries the same wrong key again and again costs one in ten seconds. The memory holds hashes of keys and is bounded.
//!
//! A remembered key opens the door only: every mail is sent with the key itself, and Okite checks it again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::api_key::ApiKey;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::api::Api;
use crate::session::KeyStatus;

/// The time that a valid key is remembered, as Okite's functions remember it.
const VALID: Duration = Duration::from_secs(30);
/// The time that a wrong key is remembered.
const WRONG: Duration = Duration::from_secs(10);
/// The most keys that are remembered.
const KEYS_MAX: usize = 10_000;
/// The checks at once.
const CHECKS_MAX: usize = 16;

type KeyHash = [u8; 32];
/// The status of a key, with its end. Its lock is held during the check, so that others wait for the result.
type Known = Arc<tokio::sync::Mutex<Option<(KeyStatus, Instant)>>>;

/// The keys that were checked.
#[derive(Debug)]
pub(crate) struct KeyChecks {
    keys: Mutex<HashMap<KeyHash, Known>>,
    checks: Semaphore,
}

impl Default for KeyChecks {
    fn default() -> Self {
        Self {
            keys: Mutex::default(),
            checks: Semaphore::new(CHECKS_MAX),
        }
    }
}

impl KeyChecks {
    /// Returns whether a key is valid.
    pub(crate) async fn check(&self, key: &ApiKey, api: &Api) -> KeyStatus {
        let known = self.known(hash(key));
        let mut known = known.lock().await;
        if let Some((status, until)) = *known
            && Instant::now() < until
        {
            return status;
        }
        let status = match self.checks.acquire().await {
            Ok(_permit) => api.check(key).await,
            Err(_closed) => KeyStatus::Unknown,
        };
        *known = match status {
            KeyStatus::Valid => Some((status, Instant::now() + VALID)),
            KeyStatus::Wrong => Some((status, Instant::now() + WRONG)),
            KeyStatus::Unknown => None,
        };
        status
    }

    /// Forgets a key that Okite refused with a mail.
    pub(crate) fn forget(&self, key: &ApiKey) {
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&hash(key));
    }

    fn known(&self, hash: KeyHash) -> Known {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX && !keys.contains_key(&hash) {
            let now = Instant::now();
            keys.retain(|_, known| match known.try_lock() {
                Ok(known) => known.is_some_and(|(_, until)| now < until),
                Err(_in_check) => true,
            });
            if keys.len() >= KEYS_MAX {
                keys.clear();
            }
        }
        Arc::clone(keys.entry(hash).or_default())
    }
}

fn hash(key: &ApiKey) -> KeyHash {
    Sha256::digest(key.reveal()).into()
}
