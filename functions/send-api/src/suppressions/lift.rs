//! `DELETE /suppressions/{id or email}` and `POST /suppressions/batch/remove`: who may be sent to again.
//!
//! SES has a list of its own for the account, and would go on dropping the mail of whom we let go. It takes a request a second,
//! and none in the sandbox. So one address is taken off it at once, and before it is lifted here: who is told that it was lifted
//! can be sent to. Of many, and where SES does not answer, the quota reporter takes them off SES's list in its next run.

use aws::{ListError, StoreError};
use domain::message::InvalidEmail;
use domain::suppression::{Entry, Reason, Suppression};
use serde::Serialize;
use uuid::Uuid;

use super::body::evidence;
use super::create::{object, texts};
use super::find::find;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;
use sending::Deadlines;

/// What became of the address on SES's own list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum SesList {
    /// It is not on it.
    Lifted,
    /// The reporter takes it off.
    Pending,
    /// It may be on it: SES changes no list in the sandbox.
    Kept,
}

#[derive(Serialize)]
struct LiftedBody {
    object: &'static str,
    id: Uuid,
    deleted: bool,
    ses_list: SesList,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

#[derive(Serialize)]
struct LiftedAllBody {
    data: Vec<LiftedBody>,
}

impl LiftedBody {
    fn of(entry: &Entry, ses_list: SesList) -> Self {
        let message = match ses_list {
            SesList::Lifted => None,
            SesList::Pending => Some(
                "If Amazon SES's own suppression list has the address, SES drops mail to it until the quota reporter has taken it \
                 off, with its next run as a rule.",
            ),
            SesList::Kept => Some(
                "The account is in the sandbox of Amazon SES, which does not let its suppression list be changed there: if \
                 the address is on it, SES goes on dropping mail to it.",
            ),
        };
        Self {
            object: "suppression",
            id: entry.id,
            deleted: true,
            ses_list,
            message,
        }
    }
}

pub(crate) async fn lift(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    which: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let (entry, suppression) = deadlines.before_answering(find(state, which, deadlines)).await??;
    let ses_list = deadlines
        .before_answering(lift_at_ses(state, &entry, suppression, deadlines))
        .await??;
    // In this order: a function that dies in between leaves the address suppressed, and whoever asks again lifts it.
    deadlines
        .before_answering(state.sending.suppressions.lift(&entry.address, deadlines.now()))
        .await??;
    if ses_list == SesList::Pending {
        // Again: a pass that began before the address was lifted may have gone past it.
        deadlines
            .before_answering(pass_over_ses_list(state, deadlines))
            .await??;
    }
    tracing::info!(suppression.id = %entry.id, ?ses_list, "an address was lifted");
    Ok(Response::ok(&LiftedBody::of(&entry, ses_list)))
}

pub(crate) async fn lift_all(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let mut object = object(&request.body)?;
    let which = match (object.remove("emails"), object.remove("ids")) {
        (Some(emails), None) => texts("emails", emails)?,
        (None, Some(ids)) => texts("ids", ids)?,
        _ => {
            let message = "The request body must have either `emails` or `ids`.";
            return Err(InvalidEmail::Whole(message.to_owned()).into());
        }
    };
    // Before, for a function that dies in between must not leave SES dropping what was lifted here; and after, for a pass that
    // began before an address was lifted may have gone past it.
    deadlines
        .before_answering(pass_over_ses_list(state, deadlines))
        .await??;
    let mut data = Vec::new();
    for which in which {
        match deadlines.before_answering(find(state, &which, deadlines)).await? {
            Ok((entry, _)) => {
                deadlines
                    .before_answering(state.sending.suppressions.lift(&entry.address, deadlines.now()))
                    .await??;
                data.push(LiftedBody::of(&entry, SesList::Pending));
            }
            // Whoever is not on the list need not be lifted.
            Err(error) if error.status == 404 => {}
            Err(error) => return Err(error),
        }
    }
    deadlines
        .before_answering(pass_over_ses_list(state, deadlines))
        .await??;
    tracing::info!(count = data.len(), "addresses were lifted");
    Ok(Response::ok(&LiftedAllBody { data }))
}

async fn lift_at_ses(
    state: &SendApiState,
    entry: &Entry,
    suppression: Suppression,
    deadlines: &Deadlines,
) -> Result<SesList, StoreError> {
    if entry.address.is_pseudonym() {
        // The pass knows the address by its hash.
        pass_over_ses_list(state, deadlines).await?;
        return Ok(SesList::Pending);
    }
    // As SES knows it: in the spelling of the mail that bounced.
    let evidence = evidence(entry, suppression.reason);
    let given = evidence
        .map(|evidence| evidence.address.as_str())
        .filter(|given| !given.is_empty());
    // What was put here by hand says nothing of SES's list, which may have the address for another reason.
    let address = given
        .filter(|_| suppression.reason != Reason::Manual)
        .unwrap_or_else(|| entry.address.as_given());
    match state.ses_list.remove(address).await {
        Ok(()) if given.is_some() => Ok(SesList::Lifted),
        // The spelling was forgotten, and SES may have another.
        Ok(()) => {
            pass_over_ses_list(state, deadlines).await?;
            Ok(SesList::Pending)
        }
        Err(ListError::Sandbox) => Ok(SesList::Kept),
        Err(error) => {
            tracing::warn!("SES's suppression list was not changed, the reporter will: {error}");
            pass_over_ses_list(state, deadlines).await?;
            Ok(SesList::Pending)
        }
    }
}

/// Asks the reporter to go over SES's list with its next run.
async fn pass_over_ses_list(state: &SendApiState, deadlines: &Deadlines) -> Result<(), StoreError> {
    state.usage.want_reconciliation(deadlines.now()).await
}
