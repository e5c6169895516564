//! `POST /emails/batch`: sends up to 100 emails in one request. Each email has an outcome of its own.
//!
//! | module | concept |
//! |---|---|
//! | `input` | reads and validates the array of emails |
//! | `answer` | makes the answer out of the outcomes |

mod answer;
mod input;

use domain::address::EmailAddress;
use domain::queue::WhenBusy;
use sending::{Deadlines, Ids, NotSent, Origin, Patience, Submission};

use self::answer::{ItemOutcome, respond};
use self::input::{Emails, ValidEmail, ValidationMode, read};
use super::idempotency_key::{self, Endpoint};
use super::receipt;
use crate::error::{AnswerContext, ApiError};
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

pub(crate) async fn create_batch(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    ids: Ids,
) -> Result<Response, ApiError> {
    let now = deadlines.arrived;
    let authenticated = state.authentication.authenticate(request, now);
    let api_key = deadlines.before_sending(authenticated).await??;
    let header = idempotency_key::header(request)?;
    let mode = ValidationMode::of(request)?;
    let Emails { each, hash } = read(input::values(request)?, request, &api_key, mode, header.is_some())?;
    let key = header
        .zip(hash)
        .map(|(header, hash)| Endpoint::Batch.key(&api_key, &header, hash));
    let emails = each.len();
    let (mut invalid, mut submissions, mut senders) = (Vec::new(), Vec::new(), Vec::new());
    let mut all_notes = Vec::new();
    for (place, email) in each.into_iter().enumerate() {
        match email {
            Ok(ValidEmail {
                email,
                on_suppressed,
                notes,
            }) => {
                senders.push(email.from.address().clone());
                all_notes.push(notes);
                submissions.push(Submission {
                    place,
                    email,
                    on_suppressed,
                    when_busy: WhenBusy::Refuse,
                    scheduled_at: None,
                    deadline: None,
                });
            }
            Err(error) => invalid.push((place, error)),
        }
    }

    let origin = Origin {
        key_id: &api_key.id,
        stream: api_key.stream,
        key,
        emails,
        patience: Patience::UntilDeadline,
        ids,
    };
    let error = |not_sent: NotSent, sender: Option<&EmailAddress>| {
        let context = AnswerContext {
            sender_domain: sender.map_or("", EmailAddress::domain),
            region: &state.region,
            now,
        };
        ApiError::not_sent(not_sent, context)
    };
    let submitted = state.sending.submit_all(&submissions, &origin, deadlines).await;
    let submitted = submitted.map_err(|not_sent| error(not_sent, senders.first()))?;
    let mut outcomes: Vec<(usize, ItemOutcome)> = invalid
        .into_iter()
        .map(|(place, error)| (place, ItemOutcome::Invalid(error)))
        .collect();
    let sent = submissions.iter().zip(&senders).zip(all_notes);
    for (((submission, sender), notes), outcome) in sent.zip(submitted.each) {
        let outcome = match outcome {
            Ok(receipt) => ItemOutcome::Done {
                recipients: receipt::recipients(receipt),
                notes,
            },
            Err(not_sent) => ItemOutcome::NotSent {
                sent_nothing: not_sent.frees_key(),
                error: error(not_sent, Some(sender)),
            },
        };
        outcomes.push((submission.place, outcome));
    }
    outcomes.sort_by_key(|(place, _)| *place);
    let outcomes: Vec<ItemOutcome> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    respond(mode, submitted.first, &outcomes)
}
