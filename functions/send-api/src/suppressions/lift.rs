//! `DELETE /suppressions/{id or email}` and `POST /suppressions/batch/remove`: lifts suppressions.
//!
//! A single address is taken off SES's own list at once, see [`suppression`]. For a batch, the quota reporter does so
//! in its next run.

use domain::message::InvalidEmail;
use domain::suppression::{SuppressionEntry, TOPICS_KEPT, TopicChoice};
use domain::unsubscribe::Topic;
use domain::webhook::WebhookEvent;
use serde::Serialize;
use suppression::{SesList, removed};
use uuid::Uuid;

use super::create::texts;
use super::find::{find, find_entry, topic_of};
use crate::error::{ApiError, Problem};
use crate::json::object;
use crate::request::Request;
use crate::response::Response;
use crate::route::Operation;
use crate::state::SendApiState;
use sending::Deadlines;

#[derive(Serialize)]
struct LiftedBody {
    object: &'static str,
    id: Uuid,
    deleted: bool,
    /// The state of the address on SES's own list, which knows no topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    ses_list: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

#[derive(Serialize)]
struct LiftedAllBody {
    data: Vec<LiftedBody>,
}

impl LiftedBody {
    fn of(entry: &SuppressionEntry, ses_list: SesList) -> Self {
        let (ses_list, message) = match ses_list {
            SesList::Lifted => ("lifted", None),
            SesList::Pending => (
                "pending",
                Some(
                    "If the address is on Amazon SES's own suppression list, SES drops mail to it until the quota reporter removes \
                 it, usually in its next run.",
                ),
            ),
            SesList::Kept => (
                "kept",
                Some(
                    "The account is in the Amazon SES sandbox, where SES does not allow changes to its own suppression list. If the \
                 address is on that list, SES still drops mail to it.",
                ),
            ),
        };
        Self {
            object: "suppression",
            id: entry.id,
            deleted: true,
            ses_list: Some(ses_list),
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
    let api_key = state.authentication.authenticate_full(request, deadlines).await?;
    if let Some(topic) = topic_of(request, Operation::LiftSuppression)? {
        return resubscribe(state, deadlines, which, &topic, &api_key.id).await;
    }
    let (entry, suppression) = deadlines.before_answering(find(state, which, deadlines)).await??;
    let lifted = state.lifting.lift(&entry, suppression, || deadlines.now());
    let ses_list = deadlines.before_answering(lifted).await??;
    Ok(Response::ok(&LiftedBody::of(&entry, ses_list)))
}

/// Records that a person came back to a topic.
async fn resubscribe(
    state: &SendApiState,
    deadlines: &Deadlines,
    which: &str,
    topic: &Topic,
    key_id: &str,
) -> Result<Response, ApiError> {
    let entry = deadlines.before_answering(find_entry(state, which)).await??;
    if entry.registers.topics.left(topic).is_none() {
        return Err(Problem::SuppressionNotFound.into());
    }
    let choice = TopicChoice {
        at: deadlines.now(),
        is_unsubscribed: false,
        source: format!("key {key_id}"),
    };
    let recorded = state.lifting.choose(&entry.address, topic, &choice, entry.id);
    let recorded = deadlines.before_answering(recorded).await??;
    if recorded.has_left {
        let message = format!(
            "The address has a choice about {TOPICS_KEPT} topics and has left all others. It cannot come back to another \
             topic."
        );
        return Err(InvalidEmail::Whole(message).into());
    }
    Ok(Response::ok(&LiftedBody {
        object: "suppression",
        id: entry.id,
        deleted: true,
        ses_list: None,
        message: None,
    }))
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
        .before_answering(state.lifting.request_pass(deadlines.now()))
        .await??;
    let (mut data, mut events) = (Vec::new(), Vec::new());
    let lifted = lift_each(state, &which, deadlines, &mut data, &mut events).await;
    // Those that were lifted are not found by a repeated request.
    state.lifting.emitter.emit_or_log(&events, deadlines.now()).await;
    lifted?;
    deadlines
        .before_answering(state.lifting.request_pass(deadlines.now()))
        .await??;
    tracing::info!(count = data.len(), "suppressions were lifted");
    Ok(Response::ok(&LiftedAllBody { data }))
}

/// Lifts the suppressions of `which`, up to the first that fails.
async fn lift_each(
    state: &SendApiState,
    which: &[String],
    deadlines: &Deadlines,
    data: &mut Vec<LiftedBody>,
    events: &mut Vec<WebhookEvent>,
) -> Result<(), ApiError> {
    for which in which {
        match deadlines.before_answering(find(state, which, deadlines)).await? {
            Ok((entry, suppression)) => {
                deadlines
                    .before_answering(state.suppressions.lift(&entry.address, deadlines.now()))
                    .await??;
                events.push(removed(&entry, suppression, deadlines.now()));
                data.push(LiftedBody::of(&entry, SesList::Pending));
            }
            // An address that is not suppressed needs no change.
            Err(error) if error.status == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
