//! `POST /emails/batch`: sends up to 100 emails in one request. Each email has an outcome of its own.
//!
//! | module | concept |
//! |---|---|
//! | `input` | reads and validates the array of emails |
//! | `answer` | makes the answer out of the outcomes |

mod answer;
mod input;

use domain::address::EmailAddress;
use domain::message::UNSUBSCRIBE_FIELD;
use sending::{Deadlines, Ids, NotSent, Origin, Patience};

use self::answer::{ItemOutcome, respond};
use self::input::{Emails, ValidationMode, read};
use super::idempotency_key::{self, Endpoint};
use super::receipt;
use super::submittable::{SubmitContext, Submittable, links};
use crate::error::{AnswerContext, ApiError};
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

/// The parts of a submitted email that its answer needs.
struct Known {
    sender: EmailAddress,
    /// The error of an email for which it is too late.
    too_late: Option<ApiError>,
    /// Notes about parts of the email that Okite left out.
    notes: Vec<String>,
}

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
    let values = input::values(request)?;
    let is_asked_for = values.iter().any(|email| email.get(UNSUBSCRIBE_FIELD).is_some());
    let links = links(state, request, &api_key, is_asked_for, deadlines).await?;
    let context = SubmitContext {
        request,
        api_key: &api_key,
        tracking_events: state.sending.ses.tracking_events(),
        local_senders: state.local_senders,
        links: links.as_ref(),
        now,
        has_key: header.is_some(),
    };
    let Emails { each, hash } = read(values, mode, context)?;
    let key = header
        .zip(hash)
        .map(|(header, hash)| Endpoint::Batch.key(&api_key, &header, hash));
    let emails = each.len();
    let (mut invalid, mut submissions, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for (place, email) in each.into_iter().enumerate() {
        match email {
            Ok(Submittable {
                submission,
                too_late,
                notes,
            }) => {
                let sender = submission.mail.sender().address().clone();
                known.push(Known {
                    sender,
                    too_late,
                    notes,
                });
                submissions.push(submission);
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
    let error = |not_sent: NotSent, known: Option<&Known>| {
        let context = AnswerContext {
            sender_domain: known.map_or("", |known| known.sender.domain()),
            region: &state.region,
            now,
            too_late: known.and_then(|known| known.too_late.as_ref()),
        };
        ApiError::not_sent(not_sent, context)
    };
    let submitted = state.sending.submit_all(&submissions, &origin, deadlines).await;
    let submitted = submitted.map_err(|not_sent| error(not_sent, known.first()))?;
    let mut outcomes: Vec<(usize, ItemOutcome)> = invalid
        .into_iter()
        .map(|(place, error)| (place, ItemOutcome::Invalid(error)))
        .collect();
    for ((submission, known), outcome) in submissions.iter().zip(known).zip(submitted.each) {
        let outcome = match outcome {
            Ok(receipt) => ItemOutcome::Done {
                recipients: receipt::recipients(receipt),
                notes: known.notes,
            },
            Err(not_sent) => ItemOutcome::NotSent {
                sent_nothing: not_sent.frees_key(),
                error: error(not_sent, Some(&known)),
            },
        };
        outcomes.push((submission.place, outcome));
    }
    outcomes.sort_by_key(|(place, _)| *place);
    let outcomes: Vec<ItemOutcome> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    respond(mode, submitted.first, &outcomes)
}
