//! The preparation of a chunk, before its mails are judged: their API keys, read again, and their contents.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::{CONTENT_MAX, ContentError, StoredContent};
use domain::api_key::ApiKeyRecord;
use domain::queue::QueuedContent;
use domain::record::FailedReason;
use domain::ses_error::RETRY_LATER;
use futures_util::future::join_all;

use super::due_mail::DueMail;
use super::hinted::{HintEnd, caught};
use super::run::Run;
use super::wait::{no_time_wait, store_wait};

/// A mail with its content.
#[derive(Debug)]
pub(super) struct PreparedMail {
    pub(super) due: DueMail,
    pub(super) content: QueuedContent,
}

/// The result of preparing a chunk.
#[derive(Debug, Default)]
pub(super) struct Preparation {
    /// Those that may be sent.
    pub(super) prepared: Vec<PreparedMail>,
    /// Those whose contents would be too large together with the others. They are of the next chunk.
    pub(super) left: Vec<DueMail>,
    /// Those that are not sent now, by their places.
    pub(super) ended: Vec<(usize, HintEnd)>,
}

/// A key, or how long the mails wait that came with it because it cannot be read.
type ReadKey = Result<Option<ApiKeyRecord>, Duration>;

/// The reason why a mail cannot be sent now.
enum Lack {
    /// It fails.
    Failed(FailedReason),
    /// It waits so long.
    Waits(Duration),
    /// It is too large to be inflated beside the others.
    Room,
}

impl Run<'_> {
    /// Reads the keys and the contents of a chunk. All contents together have at most [`CONTENT_MAX`] bytes.
    pub(super) async fn prepare(&self, chunk: Vec<DueMail>) -> Preparation {
        let keys = self.keys(&chunk).await;
        let stored = chunk.iter().map(async |mail| match keys.get(&mail.entry.key_id) {
            Some(Ok(Some(_))) => caught(mail.id(), self.stored(mail)).await,
            Some(Err(wait)) => Some(Err(Lack::Waits(*wait))),
            Some(Ok(None)) => Some(Err(Lack::Failed(FailedReason::KeyRevoked))),
            // Every key of the chunk was read.
            None => Some(Err(Lack::Waits(no_time_wait()))),
        });
        let stored = join_all(stored).await;
        let (mut preparation, mut room) = (Preparation::default(), CONTENT_MAX);
        for (due, stored) in chunk.into_iter().zip(stored) {
            let read = match stored {
                None => None,
                Some(Err(lack)) => Some(Err(lack)),
                Some(Ok(_)) if !preparation.left.is_empty() => Some(Err(Lack::Room)),
                Some(Ok(stored)) => caught(due.id(), async { read(&due, &stored, room) }).await,
            };
            let Some(read) = read else {
                preparation.ended.push((due.place, HintEnd::Panicked));
                continue;
            };
            let may_send = |content: &QueuedContent| {
                let key = keys.get(&due.entry.key_id).and_then(|key| key.as_ref().ok()?.as_ref());
                key.is_some_and(|key| content.mail.senders().all(|sender| key.may_send_from(sender)))
            };
            let lack = match read {
                Ok((content, inflated)) if may_send(&content) => {
                    room -= inflated;
                    preparation.prepared.push(PreparedMail { due, content });
                    continue;
                }
                Ok(_) => Lack::Failed(FailedReason::DomainNotAllowed),
                Err(lack) => lack,
            };
            let end = match lack {
                Lack::Room => {
                    preparation.left.push(due);
                    continue;
                }
                Lack::Failed(reason) => self.fail(&due, reason).await,
                Lack::Waits(wait) => self.come_again(&due, wait).await,
            };
            preparation.ended.push((due.place, end));
        }
        preparation
    }

    /// Reads the API keys that the mails of a chunk came with, each once.
    async fn keys(&self, chunk: &[DueMail]) -> BTreeMap<String, ReadKey> {
        let keys: BTreeMap<&str, &DueMail> = chunk.iter().map(|mail| (mail.entry.key_id.as_str(), mail)).collect();
        let read = keys.into_iter().map(async |(key_id, mail)| {
            let key = match self.deadlines.before_sending(self.worker.keys.get(key_id)).await {
                Ok(Ok(key)) => Ok(key),
                Ok(Err(error)) => Err(store_wait(mail.id(), &error)),
                Err(_) => Err(no_time_wait()),
            };
            (key_id.to_owned(), key)
        });
        join_all(read).await.into_iter().collect()
    }

    async fn stored(&self, mail: &DueMail) -> Result<StoredContent, Lack> {
        let stored = self.worker.outbox.stored_content(mail.id(), &mail.entry.content);
        match self.deadlines.before_sending(stored).await {
            Ok(stored) => stored.map_err(|error| lack(mail, error)),
            Err(_) => Err(Lack::Waits(no_time_wait())),
        }
    }
}

fn read(mail: &DueMail, stored: &StoredContent, most: usize) -> Result<(QueuedContent, usize), Lack> {
    stored.read(most).map_err(|error| lack(mail, error))
}

fn lack(mail: &DueMail, error: ContentError) -> Lack {
    let id = mail.id();
    match error {
        ContentError::Store(error) => Lack::Waits(store_wait(id, &error)),
        ContentError::TooLarge => Lack::Room,
        // While a version is deployed, the function of the version before may still work.
        ContentError::Newer => {
            tracing::warn!(message.id = %id, cause = "newer_content", "a newer version wrote the content of a message");
            Lack::Waits(Duration::from_secs(RETRY_LATER.into()))
        }
        // A cancellation deletes the content too, so this is an error only once the row says that the mail failed.
        ContentError::Missing => Lack::Failed(FailedReason::ContentMissing),
    }
}
