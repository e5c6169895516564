//! Which suppression a path means, by its id or its address: `GET /suppressions/{id or email}`.

use domain::address::EmailAddress;
use domain::suppression::{Entry, Suppression};

use super::body::{SuppressionBody, in_force};
use crate::State;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::time::Time;

pub(crate) async fn show(state: &State, request: &Request, time: &Time, which: &str) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, time).await?;
    let (entry, suppression) = time.before_answering(find(state, which, time)).await??;
    Ok(Response::ok(&SuppressionBody::of(&entry, suppression)))
}

/// Finds an entry that is in force.
pub(super) async fn find(state: &State, which: &str, time: &Time) -> Result<(Entry, Suppression), ApiError> {
    let found = if let Ok(id) = which.parse() {
        state.suppressions.find(id).await?
    } else if let Ok(address) = EmailAddress::parse(which) {
        state.suppressions.get(&address).await?
    } else {
        None
    };
    let entry = found.ok_or_else(ApiError::suppression_not_found)?;
    let suppression = in_force(&entry, time.arrived, &state.config.soft_bounce_tiers);
    let suppression = suppression.ok_or_else(ApiError::suppression_not_found)?;
    Ok((entry, suppression))
}
