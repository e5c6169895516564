//! An email that may be submitted, after the request's headers, its API key and the clock have been asked about it.

use domain::address::LocalSenders;
use domain::api_key::ApiKeyRecord;
use domain::message::{InvalidEmail, Mail, TrackingEvents};
use front::{LinkedMail, Links, linked};
use jiff::Timestamp;
use sending::{Deadlines, Submission};

use super::body::{self, ParsedBody, Times};
use crate::error::{ApiError, Problem};
use crate::request::Request;
use crate::state::SendApiState;

/// An email that may be submitted.
#[derive(Debug)]
pub(super) struct Submittable {
    pub(super) submission: Submission,
    /// The error of an email for which it is too late, unless an earlier request has attempted it.
    pub(super) too_late: Option<ApiError>,
    /// Notes for the caller about parts of the email that Okite left out.
    pub(super) notes: Vec<String>,
}

/// The facts besides its fields that decide about an email.
#[derive(Clone, Copy, Debug)]
pub(super) struct SubmitContext<'a> {
    pub(super) request: &'a Request,
    pub(super) api_key: &'a ApiKeyRecord,
    /// Whether this deployment tracks openings and clicks.
    pub(super) tracking_events: TrackingEvents,
    /// Whether a sender may be at a machine's name.
    pub(super) local_senders: LocalSenders,
    /// The unsubscribe links, if an email of the request may need them.
    pub(super) links: Option<&'a Links>,
    /// When the request arrived.
    pub(super) now: Timestamp,
    /// Whether the request has an idempotency key. Without one, no earlier request can answer for it.
    pub(super) has_key: bool,
}

/// Prepares the unsubscribe links of a request, if its API key or an email asks for them. Other requests cost nothing.
pub(super) async fn links(
    state: &SendApiState,
    request: &Request,
    api_key: &ApiKeyRecord,
    is_asked_for: bool,
    deadlines: &Deadlines,
) -> Result<Option<Links>, ApiError> {
    if api_key.topic.is_none() && !is_asked_for {
        return Ok(None);
    }
    let links = state.links.links(&request.api, deadlines.arrived);
    Ok(Some(deadlines.before_sending(links).await??))
}

impl SubmitContext<'_> {
    /// Makes a submission of the email at `place` in the request.
    pub(super) fn submittable(&self, place: usize, parsed: ParsedBody) -> Result<Submittable, ApiError> {
        let ParsedBody {
            email,
            wishes,
            mut notes,
        } = parsed;
        let sender = self.local_senders.check(email.from.address());
        sender.map_err(|error| InvalidEmail::field("from", error))?;
        let on_suppressed = body::on_suppressed(wishes.on_suppressed, self.request)?;
        let tracking = wishes.track.unwrap_or_default();
        let tracked = self.tracking_events.check(tracking);
        tracked.map_err(|not_tracked| InvalidEmail::field(body::TRACK, not_tracked))?;
        let when_busy = body::when_busy(wishes.when_busy, self.request, self.api_key)?;
        let Times {
            scheduled_at,
            deadline,
            too_late,
        } = body::times(&wishes, self.now)?;
        if !self.api_key.may_send_from(email.from.address()) {
            return Err(Problem::SenderNotAllowed.into());
        }
        let too_late = too_late.map(ApiError::from);
        if let Some(error) = too_late.as_ref().filter(|_| !self.has_key) {
            return Err(error.clone());
        }
        let LinkedMail { email, topic, note } = linked(
            email,
            wishes.unsubscribe.as_ref(),
            self.api_key.topic.as_ref(),
            self.links,
        )?;
        notes.extend(note.map(str::to_owned));
        let mut mail = Mail::from(email);
        mail.options.tracking = tracking;
        mail.topic = topic;
        let submission = Submission {
            place,
            mail,
            on_suppressed,
            when_busy,
            scheduled_at,
            deadline,
            is_too_late: too_late.is_some(),
        };
        Ok(Submittable {
            submission,
            too_late,
            notes,
        })
    }
}
