//! `GET /suppressions/{id or email}`: shows the suppression with an id or of an address.

use domain::suppression::{Suppression, SuppressionEntry};

use super::body::SuppressionBody;
use crate::error::{ApiError, Problem};
use crate::request::{Request, address};
use crate::response::Response;
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
    let (entry, suppression) = deadlines.before_answering(find(state, which, deadlines)).await??;
    Ok(Response::ok(&SuppressionBody::of(&entry, suppression)))
}

/// Finds an active entry by its id or its address.
pub(super) async fn find(
    state: &SendApiState,
    which: &str,
    deadlines: &Deadlines,
) -> Result<(SuppressionEntry, Suppression), ApiError> {
    let found = if let Ok(id) = which.parse() {
        state.suppressions.find(id).await?
    } else if let Ok(address) = address(which) {
        state.suppressions.get(&address).await?
    } else {
        None
    };
    let entry = found.ok_or(Problem::SuppressionNotFound)?;
    let suppression = in_force(&entry, deadlines.arrived, &state.sending.rules.soft_bounce_tiers);
    let suppression = suppression.ok_or(Problem::SuppressionNotFound)?;
    Ok((entry, suppression))
}
