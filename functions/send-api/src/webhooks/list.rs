//! `GET /webhooks`: lists the webhooks, newest first.

use aws::NewestFrom;
use domain::webhook::Endpoint;
use sending::Deadlines;

use super::body::{ListBody, WebhookBody, url};
use crate::error::ApiError;
use crate::request::{Request, limit_of, page_from};
use crate::response::Response;
use crate::route::Operation;
use crate::state::SendApiState;

pub(crate) async fn list(state: &SendApiState, request: &Request, deadlines: &Deadlines) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let query = request.query(Operation::ListWebhooks.parameters())?;
    let limit = limit_of(query.parameter("limit"))?;
    let (after, before) = (query.parameter("after"), query.parameter("before"));
    let from = page_from(after, before, "the id of a webhook")?;
    let endpoints = deadlines.before_answering(state.webhooks.list()).await??;
    let (page, has_more) = page(&endpoints, from, limit);
    let data = page.into_iter().filter_map(WebhookBody::of).collect();
    Ok(Response::ok(&ListBody::of(data, has_more)))
}

/// Returns a page of the webhooks, newest first, and whether there are more in its direction.
///
/// There are few webhooks, so all of them are read for each page.
fn page(endpoints: &[Endpoint], from: NewestFrom, limit: usize) -> (Vec<&Endpoint>, bool) {
    let mut all: Vec<&Endpoint> = endpoints.iter().filter(|endpoint| url(endpoint).is_some()).collect();
    // Ids sort by time, so a page may begin at a webhook that is deleted.
    all.sort_unstable_by(|a, b| b.id.cmp(&a.id));
    let mut wanted: Vec<&Endpoint> = match from {
        NewestFrom::Newest => all,
        NewestFrom::After(id) => all.into_iter().filter(|webhook| webhook.id < id.to_string()).collect(),
        NewestFrom::Before(id) => all.into_iter().filter(|webhook| webhook.id > id.to_string()).collect(),
    };
    let more = wanted.len().saturating_sub(limit);
    match from {
        // The webhooks that are next to the one that the caller has.
        NewestFrom::Before(_) => drop(wanted.drain(..more)),
        NewestFrom::Newest | NewestFrom::After(_) => wanted.truncate(limit),
    }
    (wanted, more > 0)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::body::tests::endpoint;
    use super::*;

    fn numbers(from: NewestFrom, limit: usize) -> (Vec<u128>, bool) {
        let endpoints = [3, 1, 5, 4, 2].map(endpoint);
        let (page, has_more) = page(&endpoints, from, limit);
        let number = |webhook: &Endpoint| webhook.id.parse::<Uuid>().unwrap().as_u128();
        (page.into_iter().map(number).collect(), has_more)
    }

    #[test]
    fn pages_hold_each_webhook_once_in_both_directions() {
        let id = Uuid::from_u128;
        assert_eq!(numbers(NewestFrom::Newest, 2), (vec![5, 4], true));
        assert_eq!(numbers(NewestFrom::After(id(4)), 2), (vec![3, 2], true));
        assert_eq!(numbers(NewestFrom::After(id(2)), 2), (vec![1], false));
        assert_eq!(numbers(NewestFrom::Before(id(1)), 2), (vec![3, 2], true));
        assert_eq!(numbers(NewestFrom::Before(id(3)), 2), (vec![5, 4], false));
        assert_eq!(numbers(NewestFrom::Newest, 5), (vec![5, 4, 3, 2, 1], false));
        assert_eq!(numbers(NewestFrom::Before(id(5)), 2), (vec![], false));
    }
}
