//! The mails that the hints of a batch name: each once, however many hints name it.

use std::panic::AssertUnwindSafe;

use domain::queue::Hint;
use domain::stream::Stream;
use futures_util::FutureExt;
use uuid::Uuid;

use super::ReceivedHint;

/// A mail that hints of a batch name.
#[derive(Clone, Debug)]
pub(super) struct HintedMail {
    /// The hints as one: it releases every nonce that any of them releases.
    pub(super) hint: Hint,
    /// SQS's ids of their messages, which have one fate.
    pub(super) message_ids: Vec<String>,
    /// How often SQS has delivered the one of them that it delivered most often.
    pub(super) receive_count: u32,
    /// The stream of the queue that they came from.
    pub(super) stream: Stream,
    /// A random value of this mail and this invocation, from which the nonces of its attempts are made.
    pub(super) random: Uuid,
}

/// The end of the hints of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HintEnd {
    /// SQS may delete them: the mail has ended, or comes back by itself.
    Acknowledge,
    /// SQS is to deliver them again: a write is not confirmed.
    DeliverAgain,
    /// SQS is to deliver them again: the work on the mail panicked.
    Panicked,
}

/// Finds the mails that hints name, in the order of the hints.
pub(super) fn hinted(hints: &[ReceivedHint], new_id: impl Fn() -> Uuid) -> Vec<HintedMail> {
    let mut mails: Vec<HintedMail> = Vec::new();
    for received in hints {
        let hint = &received.hint;
        let is_same = |mail: &&mut HintedMail| mail.hint.id == hint.id && mail.hint.content_nonce == hint.content_nonce;
        if let Some(mail) = mails.iter_mut().find(is_same) {
            let together = mail.hint.clone();
            mail.hint = hint.released.iter().copied().fold(together, Hint::releasing);
            mail.message_ids.push(received.message_id.clone());
            mail.receive_count = mail.receive_count.max(received.receive_count);
        } else {
            mails.push(HintedMail {
                hint: hint.clone(),
                message_ids: vec![received.message_id.clone()],
                receive_count: received.receive_count,
                stream: received.stream,
                random: new_id(),
            });
        }
    }
    mails
}

/// Does the work on one mail. Returns `None` if it panics, so that the others go on.
pub(super) async fn caught<T>(id: Uuid, work: impl Future<Output = T>) -> Option<T> {
    // The work leaves rows and entries behind, and a worker looks at the mail again.
    let done = AssertUnwindSafe(work).catch_unwind().await.ok();
    if done.is_none() {
        tracing::error!(message.id = %id, cause = "panicked", "the work on a message panicked");
    }
    done
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn received(message_id: &str, hint: &Hint, receive_count: u32) -> ReceivedHint {
        ReceivedHint {
            message_id: message_id.to_owned(),
            hint: hint.clone(),
            receive_count,
            stream: Stream::Transactional,
        }
    }

    #[test]
    fn the_hints_of_a_mail_are_one() {
        let [id, content, first, second] = [1, 2, 3, 4].map(Uuid::from_u128);
        let hint = Hint::new(id, content);
        let received = [
            received("a", &hint.clone().releasing(first), 1),
            received("c", &Hint::new(id, first), 1),
            received("d", &hint.clone().releasing(second).releasing(first), 3),
        ];
        let ids = Cell::new(0);
        let mails = hinted(&received, || {
            ids.set(ids.get() + 1);
            Uuid::from_u128(ids.get())
        });
        let [mail, other] = &mails[..] else { panic!("{mails:?}") };
        assert_eq!(mail.message_ids, ["a", "d"]);
        assert_eq!(mail.hint, hint.releasing(first).releasing(second));
        assert_eq!((mail.receive_count, mail.random), (3, Uuid::from_u128(1)));
        // A hint of another content has an end of its own.
        assert_eq!(other.message_ids, ["c"]);
        assert_eq!(other.random, Uuid::from_u128(2));
    }

    #[tokio::test]
    async fn a_panic_ends_the_work_on_one_mail() {
        let works = async |panics: bool| {
            assert!(!panics, "as a test wants it");
            7
        };
        assert_eq!(caught(Uuid::nil(), works(true)).await, None);
        assert_eq!(caught(Uuid::nil(), works(false)).await, Some(7));
    }
}
