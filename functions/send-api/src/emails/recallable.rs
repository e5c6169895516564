//! Finds the email that a request calls back or gives another time.
//!
//! A key may cancel and reschedule the mails that it may send, because the caller that sent a mail also cancels it.

use domain::address::Mailbox;
use domain::api_key::{ApiKeyRecord, KeyPermission};
use domain::record::MessageRecord;
use sending::Deadlines;
use serde::Serialize;
use uuid::Uuid;

use super::show::EmailId;
use crate::error::{ApiError, Problem};
use crate::state::SendApiState;

/// The answer to a request that was carried out.
#[derive(Serialize)]
pub(super) struct RecalledBody {
    object: &'static str,
    id: Uuid,
}

impl RecalledBody {
    pub(super) fn of(id: Uuid) -> Self {
        Self { object: "email", id }
    }
}

/// Finds the row of an email that `api_key` may send.
pub(super) async fn find(
    state: &SendApiState,
    api_key: &ApiKeyRecord,
    id: &str,
    deadlines: &Deadlines,
) -> Result<MessageRecord, ApiError> {
    let id = EmailId::read(id).ok_or(Problem::EmailNotFound)?;
    let messages = &state.messages;
    let found = async {
        let id = match id {
            EmailId::Ours(id) => Some(id),
            EmailId::Ses(ses_id) => messages.id_of(ses_id).await?,
        };
        match id {
            Some(id) => messages.get(id).await,
            None => Ok(None),
        }
    };
    let record = deadlines
        .before_answering(found)
        .await??
        .ok_or(Problem::EmailNotFound)?;
    let is_own = Mailbox::parse_sender(&record.mail.from).is_ok_and(|from| api_key.may_send_from(from.address()));
    match api_key.permission {
        _ if is_own => Ok(record),
        // It may read the email, so it is told why.
        KeyPermission::Full => Err(Problem::SenderNotAllowed.into()),
        KeyPermission::Sending => Err(Problem::EmailNotFound.into()),
    }
}
