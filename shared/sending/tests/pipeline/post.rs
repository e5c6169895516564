//! SQS between the writers of hints and the workers, as a history sees it: a hint can be lost, and two workers can get
//! the same one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use domain::queue::Hint;
use domain::stream::Stream;
use jiff::Timestamp;
use sending::ReceivedHint;

use crate::world::{BULK_HINTS, HINTS, World};

/// How long a hint that was received is hidden: six times the time of an invocation, as the template says.
const VISIBILITY: Duration = Duration::from_mins(6);

/// A hint on its way.
#[derive(Debug)]
struct Letter {
    body: String,
    visible_at: Timestamp,
    receive_count: u32,
    stream: Stream,
}

/// The hints on their way to workers.
#[derive(Debug, Default)]
pub(crate) struct Post {
    letters: RefCell<BTreeMap<String, Letter>>,
    /// How many messages of each queue were taken up.
    taken_up: RefCell<BTreeMap<&'static str, usize>>,
}

impl Post {
    /// Begins with the messages that are sent from now on.
    pub(crate) fn begin(world: &World) -> Self {
        let post = Self::default();
        post.take_up(world);
        post.letters.borrow_mut().clear();
        post
    }

    /// Takes up what was sent since.
    pub(crate) fn take_up(&self, world: &World) {
        for (queue, stream) in [(HINTS, Stream::Transactional), (BULK_HINTS, Stream::Bulk)] {
            let sent = world.sqs.messages_of(queue).unwrap();
            let mut taken_up = self.taken_up.borrow_mut();
            let before = taken_up.insert(queue, sent.len()).unwrap_or_default();
            for message in sent.into_iter().skip(before) {
                let letter = Letter {
                    body: message.body,
                    visible_at: message.visible_at,
                    receive_count: 0,
                    stream,
                };
                self.letters.borrow_mut().insert(message.message_id.to_string(), letter);
            }
        }
    }

    /// Receives up to ten hints. If they are received twice, another worker can receive them at the same time.
    pub(crate) fn receive(&self, now: Timestamp, is_twice: bool) -> Vec<ReceivedHint> {
        let mut letters = self.letters.borrow_mut();
        let visible = letters
            .iter_mut()
            .filter(|(_, letter)| letter.visible_at <= now)
            .take(10);
        let received = visible.map(|(message_id, letter)| {
            letter.receive_count += 1;
            if !is_twice {
                letter.visible_at = now + VISIBILITY;
            }
            ReceivedHint {
                message_id: message_id.clone(),
                hint: Hint::parse(&letter.body).unwrap(),
                receive_count: letter.receive_count,
                stream: letter.stream,
            }
        });
        received.collect()
    }

    /// Acknowledges the hints of a batch, but for those that are to be delivered again.
    pub(crate) fn acknowledge(&self, batch: &[ReceivedHint], again: &[String]) {
        for hint in batch.iter().filter(|hint| !again.contains(&hint.message_id)) {
            self.letters.borrow_mut().remove(&hint.message_id);
        }
    }

    /// Loses every hint that is on its way.
    pub(crate) fn lose_all(&self) {
        self.letters.borrow_mut().clear();
    }
}
