//! `GET /suppressions/{id or email}`: shows the suppression with an id or of an address.

use domain::suppression::{Suppression, SuppressionEntry};
use domain::unsubscribe::Topic;

use super::body::SuppressionBody;
use crate::error::{ApiError, Problem};
use crate::request::{Request, address};
use crate::response::Response;
use crate::route::Operation;
use crate::state::SendApiState;
use sending::Deadlines;
use suppression::in_force;

pub(crate) async fn show(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    which: &str,
) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    if let Some(topic) = topic_of(request, Operation::ShowSuppression)? {
        let entry = deadlines.before_answering(find_entry(state, which)).await??;
        let shown = SuppressionBody::of_topic(&entry, &topic).ok_or(Problem::SuppressionNotFound)?;
        return Ok(Response::ok(&shown));
    }
    let (entry, suppression) = deadlines.before_answering(find(state, which, deadlines)).await??;
    Ok(Response::ok(&SuppressionBody::of(&entry, suppression)))
}

/// Reads the parameter `topic` of an operation.
pub(super) fn topic_of(request: &Request, operation: Operation) -> Result<Option<Topic>, ApiError> {
    let topic = request.query(operation.parameters())?.parameter("topic");
    topic.map(topic_in).transpose()
}

/// Reads the value of a parameter `topic`.
pub(super) fn topic_in(text: &str) -> Result<Topic, ApiError> {
    Topic::parse(text).map_err(|_| ApiError::invalid_parameter("topic", Topic::FORM))
}

/// Finds an entry by its id or its address, whether it suppresses the address or not.
pub(super) async fn find_entry(state: &SendApiState, which: &str) -> Result<SuppressionEntry, ApiError> {
    let found = if let Ok(id) = which.parse() {
        state.suppressions.find(id).await?
    } else if let Ok(address) = address(which) {
        state.suppressions.get(&address).await?
    } else {
        None
    };
    found.ok_or(Problem::SuppressionNotFound.into())
}

/// Finds an active entry by its id or its address.
pub(super) async fn find(
    state: &SendApiState,
    which: &str,
    deadlines: &Deadlines,
) -> Result<(SuppressionEntry, Suppression), ApiError> {
    let entry = find_entry(state, which).await?;
    let suppression = in_force(&entry, deadlines.arrived, &state.sending.rules.soft_bounce_tiers);
    let suppression = suppression.ok_or(Problem::SuppressionNotFound)?;
    Ok((entry, suppression))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_topic_is_told_the_form_of_one() {
        assert_eq!(topic_in("news").unwrap().as_str(), "news");
        let error = topic_in("News").unwrap_err();
        assert!(
            error.message.starts_with("`topic` must be 1 to 32 characters"),
            "{}",
            error.message
        );
    }
}
