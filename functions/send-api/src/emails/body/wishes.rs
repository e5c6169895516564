//! The fields of an email that state how it is to be sent.

use domain::idempotency::RequestBody;
use domain::message::{Email, InvalidEmail, Tracking, UNSUBSCRIBE_FIELD, UnsubscribeWish};
use domain::queue::WhenBusy;
use domain::recipient::OnSuppressed;

use super::field::{Object, optional_text};
use super::{on_suppressed, track, unsubscribe, when_busy};

/// The name of the field with the time.
pub(super) const SCHEDULED_AT: &str = "scheduled_at";
/// The name of the field with the deadline.
pub(super) const DEADLINE: &str = "okite_deadline";

/// The wishes in the fields of an email. `None` is a field that is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct StatedWishes {
    /// The consequence of a suppressed recipient for the others.
    pub(in super::super) on_suppressed: Option<OnSuppressed>,
    /// The caller's choice if there is no room for the email.
    pub(in super::super) when_busy: Option<WhenBusy>,
    /// The parts that SES is to track.
    pub(in super::super) track: Option<Tracking>,
    /// The unsubscribe link that it is to have.
    pub(in super::super) unsubscribe: Option<UnsubscribeWish>,
    /// When it is to be sent, as the caller wrote it.
    pub(super) scheduled_at: Option<String>,
    /// Its deadline, as the caller wrote it.
    pub(super) deadline: Option<String>,
}

/// Removes the wishes from an email's fields and returns them.
pub(super) fn fields(object: &mut Object) -> Result<StatedWishes, InvalidEmail> {
    Ok(StatedWishes {
        on_suppressed: on_suppressed::field(object)?,
        when_busy: when_busy::field(object)?,
        track: track::field(object)?,
        unsubscribe: unsubscribe::field(object)?,
        scheduled_at: optional_text(object, SCHEDULED_AT)?,
        deadline: optional_text(object, DEADLINE)?,
    })
}

impl StatedWishes {
    /// Adds an email with these wishes to the hash of its request.
    pub(in super::super) fn add_with(&self, email: &Email, body: &mut RequestBody) {
        body.add_wish(when_busy::FIELD, self.when_busy.map(WhenBusy::as_str));
        body.add_wish(track::FIELD, self.track.map(Tracking::as_str));
        body.add_wish(
            UNSUBSCRIBE_FIELD,
            self.unsubscribe.as_ref().map(UnsubscribeWish::as_str),
        );
        body.add_wish(SCHEDULED_AT, self.scheduled_at.as_deref());
        body.add_wish(DEADLINE, self.deadline.as_deref());
        body.add(email, self.on_suppressed);
    }
}
