//! `/_local/outbox`: the list of mails, page by page, and changes of several mails at once.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::{ChangeResult, LocalApi, LocalApiError, read};
use super::find;
use crate::services::ses::{MailDetail, MailSummary, OutboxEntry, Search};

/// The number of mails on a page, unless the caller asks for another.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;
/// The largest number of ids in a change.
const IDS_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ListQuery {
    /// Whether to leave out bodies and files.
    #[serde(default)]
    summary: bool,
    limit: Option<usize>,
    /// The cursor `next` of the page before.
    after: Option<u64>,
    /// The number of mails to pass over.
    #[serde(default)]
    skip: usize,
    /// What a person typed to find mails.
    #[serde(default)]
    q: String,
}

/// A page of mails.
#[derive(Serialize)]
struct ListBody<T> {
    object: &'static str,
    /// The number of mails in the outbox, and of those that nobody has read.
    total: usize,
    unread: usize,
    /// The number of mails that the search finds, on all pages.
    matching: usize,
    has_more: bool,
    /// The cursor of the next page.
    next: Option<String>,
    data: Vec<T>,
}

pub(in super::super) async fn list(
    State(api): State<Arc<LocalApi>>,
    wanted: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, LocalApiError> {
    let Query(wanted) = wanted?;
    let limit = wanted.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(LocalApiError::bad_request(format_args!(
            "`limit` must be 1 to {LIMIT_MAX}"
        )));
    }
    let search = Search::parse(&wanted.q).map_err(LocalApiError::bad_request)?;
    // A search of a large outbox takes a while, which is nobody else's.
    let page = move || {
        let entries = api.ses.newest();
        let (total, unread) = (entries.len(), entries.iter().filter(|entry| !entry.is_read).count());
        let found = entries.into_iter().filter(|entry| search.matches(entry.searched()));
        let found: Vec<OutboxEntry> = found.collect();
        let matching = found.len();
        let is_behind = |entry: &OutboxEntry| wanted.after.is_none_or(|after| entry.number < after);
        let mut rest = found.into_iter().filter(is_behind).skip(wanted.skip);
        let data: Vec<OutboxEntry> = rest.by_ref().take(limit).collect();
        let has_more = rest.next().is_some();
        let list = ListBody {
            object: "list",
            total,
            unread,
            matching,
            has_more,
            next: data.last().filter(|_| has_more).map(|entry| entry.number.to_string()),
            data: Vec::<()>::new(),
        };
        let id_tag = api.ses.id_tag();
        if wanted.summary {
            let summary = |entry| MailSummary::new(entry, id_tag);
            axum::Json(list.of(data.iter().map(summary))).into_response()
        } else {
            let detail = |entry| MailDetail::new(entry, id_tag);
            axum::Json(list.of(data.iter().map(detail))).into_response()
        }
    };
    let page = tokio::task::spawn_blocking(page).await;
    page.map_err(|error| LocalApiError(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

impl ListBody<()> {
    fn of<T>(self, data: impl Iterator<Item = T>) -> ListBody<T> {
        ListBody {
            object: self.object,
            total: self.total,
            unread: self.unread,
            matching: self.matching,
            has_more: self.has_more,
            next: self.next,
            data: data.collect(),
        }
    }
}

/// The mails that a change is about: those with these ids, or all that a search finds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    ids: Option<Vec<String>>,
    q: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    ids: Option<Vec<String>>,
    q: Option<String>,
    read: bool,
}

pub(in super::super) async fn mark(State(api): State<Arc<LocalApi>>, body: Bytes) -> Result<Response, LocalApiError> {
    let Mark { ids, q, read: is_read } = read(&body)?;
    let numbers = Chosen { ids, q }.numbers(&api).await?;
    Ok(changed(
        api.ses.mark(&numbers, is_read).map_err(|error| unwritten(&error))?,
    ))
}

pub(in super::super) async fn delete_chosen(
    State(api): State<Arc<LocalApi>>,
    body: Bytes,
) -> Result<Response, LocalApiError> {
    let numbers = read::<Chosen>(&body)?.numbers(&api).await?;
    Ok(changed(
        api.ses.delete_mails(&numbers).map_err(|error| unwritten(&error))?,
    ))
}

pub(in super::super) async fn delete_one(State(api): State<Arc<LocalApi>>, Path(id): Path<String>) -> ChangeResult {
    let entry = find(&api, &id)?;
    api.ses
        .delete_mails(&[entry.number])
        .map_err(|error| unwritten(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

impl Chosen {
    /// Returns the numbers of the mails. Ids that the outbox does not have are passed over: another person may have
    /// deleted them.
    async fn numbers(self, api: &Arc<LocalApi>) -> Result<Vec<u64>, LocalApiError> {
        match (self.ids, self.q) {
            (Some(ids), None) if ids.len() > IDS_MAX => Err(LocalApiError::bad_request(format_args!(
                "`ids` has more than {IDS_MAX} ids: name them in several requests, or describe the mails with `q`"
            ))),
            (Some(ids), None) => Ok(ids
                .iter()
                .filter_map(|id| api.ses.mail(id))
                .map(|entry| entry.number)
                .collect()),
            (None, Some(typed)) => {
                let search = Search::parse(&typed).map_err(LocalApiError::bad_request)?;
                if search.is_empty() {
                    return Err(LocalApiError::bad_request(
                        "`q` is empty; DELETE /_local/outbox deletes all mails, and `is:unread` or `is:read` finds them",
                    ));
                }
                let api = Arc::clone(api);
                let found = move || -> Vec<u64> {
                    let entries = api.ses.newest();
                    let found = entries.iter().filter(|entry| search.matches(entry.searched()));
                    found.map(|entry| entry.number).collect()
                };
                let found = tokio::task::spawn_blocking(found).await;
                found.map_err(|error| LocalApiError(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
            }
            _ => Err(LocalApiError::bad_request(
                "the body must have either `ids` or `q`: the ids of mails, or a search that finds them",
            )),
        }
    }
}

fn changed(mails: usize) -> Response {
    axum::Json(json!({ "changed": mails })).into_response()
}

fn unwritten(error: &std::io::Error) -> LocalApiError {
    LocalApiError(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("the file of the outbox cannot be written: {error}"),
    )
}
