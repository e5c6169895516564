//! The queue's worker: it sends the mails that wait, and hands over those that are due.
//!
//! The index of the table Outbox is the authority. A hint only asks the worker to look at one mail: a hint that is
//! lost, doubled or out of date changes nothing but the time at which the mail is looked at. One exception: what a hint
//! releases is known to nobody else, so a mail whose hint is lost with it may end as `unknown`.
//!
//! | module | concept |
//! |---|---|
//! | `work` | a batch of hints, and which of them are to be delivered again |
//! | `run` | one invocation |
//! | `hinted` | the mails that the hints of a batch name |
//! | `due_mail` | a mail that may be sent now |
//! | `look` | what the row and the entry of a mail ask for |
//! | `pace` | the mails that are due, in chunks: a permit for each |
//! | `prepare` | the API key and the content of the mails of a chunk |
//! | `rejudge` | the recipients of a chunk, judged again |
//! | `attempt` | one mail at its slot: the row, SES, and the row again |
//! | `wait` | how long a mail waits that is not sent now |
//! | `come_again` | how it comes back |
//! | `ended` | the end of a mail: it is reported, and its content and its entry are deleted |
//! | `alone` | the mails with which workers died |
//! | `sweep` | once a minute: what is due is handed over, and what is past its deadline is settled |
//! | `tidy` | what has ended while its stream is held back |
//! | `due` | the mails of a stream that are due, in their order |
//!
//! The lines of the log have ids and no addresses. Alarms count them by their field `cause`:
//!
//! | cause | what happened |
//! |---|---|
//! | `expired` | a mail was not sent by its deadline |
//! | `queue_failed` | a mail will not be sent for another reason, which the field `reason` has |
//! | `crashed` | workers died with a mail again and again |
//! | `panicked` | the work on a mail panicked, and its hint is delivered again |
//! | `content_missing` | the content of a mail is not there, or nobody wrote it so |
//! | `newer_content` | a newer version of Okite wrote the content, and the mail waits for it |
//! | `ambiguous_send` | SES gave no clear answer, as for a request |
//! | `not_settled` | SES accepted a mail, and its row does not say so, as for a request |
//! | `queue_unknown` | an hour past its lease nobody knows whether SES accepted a mail |
//! | `no_hint` | SQS did not confirm a hint |
//! | `not_emitted` | events for webhooks are not on their way, and are emitted when the mail is looked at again |
//! | `deployment` | AWS refuses the calls until an operator mends the deployment, those of SQS included |
//! | `store` | a table has no answer, as for a request |

mod alone;
mod attempt;
mod come_again;
mod due;
mod due_mail;
mod ended;
mod hinted;
mod look;
mod pace;
mod prepare;
mod rejudge;
mod run;
mod sweep;
mod tidy;
mod wait;
mod work;

use aws::{ApiKeys, Hints, Outbox};
use domain::queue::Hint;
use domain::stream::Stream;

use crate::Sending;

pub use sweep::{DueMails, StreamReport, SweepReport};

/// The worker, with the tables, queues and services that it works on.
#[derive(Debug)]
pub struct Worker {
    /// The pipeline. The worker accepts no mail, so it needs no queue of its own.
    pub sending: Sending,
    /// The table of the mails that wait.
    pub outbox: Outbox,
    /// The queues of hints.
    pub hints: HintQueues,
    /// The API keys: a mail is not sent if its key was revoked while it waited.
    pub keys: ApiKeys,
}

/// The queues of hints, one for each stream.
#[derive(Clone, Debug)]
pub struct HintQueues {
    /// The hints about transactional mail.
    pub transactional: Hints,
    /// The hints about bulk mail.
    pub bulk: Hints,
}

impl HintQueues {
    /// Returns the queue of a stream.
    #[must_use]
    pub fn of(&self, stream: Stream) -> &Hints {
        match stream {
            Stream::Transactional => &self.transactional,
            Stream::Bulk => &self.bulk,
        }
    }

    /// Returns the stream of the queue with this ARN.
    #[must_use]
    pub fn stream_of(&self, arn: &str) -> Stream {
        if self.bulk.has_arn(arn) {
            Stream::Bulk
        } else {
            Stream::Transactional
        }
    }
}

/// A hint as SQS delivers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedHint {
    /// SQS's id of the message.
    pub message_id: String,
    /// The hint.
    pub hint: Hint,
    /// How often SQS has delivered the message, this time included.
    pub receive_count: u32,
    /// The stream of the queue that it came from.
    pub stream: Stream,
}
