//! `DELETE /suppressions/{id or email}` and `POST /suppressions/batch/remove`: lifts suppressions.
//!
//! SES keeps a suppression list of its own for the account, and would still drop mail to a lifted address that is on
//! it. SES accepts one request a second for that list, and none in the sandbox. A single address is therefore removed
//! from SES's list at once, before Okite lifts it, so that mail reaches an address as soon as the caller reads that it
//! was lifted. For a batch, or when SES does not answer, the quota reporter removes the addresses in its next run.

use aws::{ListError, StoreError};
use domain::message::InvalidEmail;
use domain::suppression::{Suppression, SuppressionEntry, SuppressionReason};
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

/// The state of a lifted address on SES's own list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum SesList {
    /// The address is not on SES's list.
    Lifted,
    /// The quota reporter will remove the address.
    Pending,
    /// The address may still be on SES's list, because SES does not change its list in the sandbox.
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
    fn of(entry: &SuppressionEntry, ses_list: SesList) -> Self {
        let message = match ses_list {
            SesList::Lifted => None,
            SesList::Pending => Some(
                "If the address is on Amazon SES's own suppression list, SES drops mail to it until the quota reporter removes \
                 it, usually in its next run.",
            ),
            SesList::Kept => Some(
                "The account is in the Amazon SES sandbox, where SES does not allow changes to its own suppression list. If the \
                 address is on that list, SES still drops mail to it.",
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
    // In this order: a function that stops in between leaves the address suppressed, and a repeated request lifts it.
    deadlines
        .before_answering(state.suppressions.lift(&entry.address, deadlines.now()))
        .await??;
    if ses_list == SesList::Pending {
        // Requested again: a pass that began before the address was lifted may already be past it.
        deadlines
            .before_answering(pass_over_ses_list(state, deadlines))
            .await??;
    }
    tracing::info!(suppression.id = %entry.id, ?ses_list, "a suppression was lifted");
    Ok(Response::ok(&LiftedBody::of(&entry, ses_list)))
}

pub(crate) async fn lift_all(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let mut object = object(request)?;
    let which = match (object.remove("emails"), object.remove("ids")) {
        (Some(emails), None) => texts("emails", emails)?,
        (None, Some(ids)) => texts("ids", ids)?,
        _ => {
            let message = "The request body must have either `emails` or `ids`.";
            return Err(InvalidEmail::Whole(message.to_owned()).into());
        }
    };
    // Requested before, because a function that stops in between must not leave lifted addresses on SES's list.
    // Requested again after, because a pass that began before an address was lifted may already be past it.
    deadlines
        .before_answering(pass_over_ses_list(state, deadlines))
        .await??;
    let mut data = Vec::new();
    for which in which {
        match deadlines.before_answering(find(state, &which, deadlines)).await? {
            Ok((entry, _)) => {
                deadlines
                    .before_answering(state.suppressions.lift(&entry.address, deadlines.now()))
                    .await??;
                data.push(LiftedBody::of(&entry, SesList::Pending));
            }
            // An address that is not suppressed needs no change.
            Err(error) if error.status == 404 => {}
            Err(error) => return Err(error),
        }
    }
    deadlines
        .before_answering(pass_over_ses_list(state, deadlines))
        .await??;
    tracing::info!(count = data.len(), "suppressions were lifted");
    Ok(Response::ok(&LiftedAllBody { data }))
}

async fn lift_at_ses(
    state: &SendApiState,
    entry: &SuppressionEntry,
    suppression: Suppression,
    deadlines: &Deadlines,
) -> Result<SesList, StoreError> {
    if entry.address.is_pseudonym() {
        // Only the hash of the address is stored. The pass finds the address on SES's list by that hash.
        pass_over_ses_list(state, deadlines).await?;
        return Ok(SesList::Pending);
    }
    // SES's list has the spelling of the mail that bounced.
    let evidence = evidence(entry, suppression.reason);
    let given = evidence
        .map(|evidence| evidence.address.as_str())
        .filter(|given| !given.is_empty());
    // A manual suppression has no spelling of SES's. SES may still list the address for another reason.
    let address = given
        .filter(|_| suppression.reason != SuppressionReason::Manual)
        .unwrap_or_else(|| entry.address.as_given());
    match state.ses_list.remove(address).await {
        Ok(()) if given.is_some() => Ok(SesList::Lifted),
        // Okite no longer stores the spelling, and SES may list another one.
        Ok(()) => {
            pass_over_ses_list(state, deadlines).await?;
            Ok(SesList::Pending)
        }
        Err(ListError::Sandbox) => Ok(SesList::Kept),
        Err(error) => {
            tracing::warn!("SES's suppression list was not changed; the quota reporter will change it: {error}");
            pass_over_ses_list(state, deadlines).await?;
            Ok(SesList::Pending)
        }
    }
}

/// Asks the quota reporter for a pass over SES's list in its next run.
async fn pass_over_ses_list(state: &SendApiState, deadlines: &Deadlines) -> Result<(), StoreError> {
    state.usage.want_reconciliation(deadlines.now()).await
}
