//! `GET /suppressions`: lists suppressions, newest first.

use aws::NewestFrom;
use domain::unsubscribe::Topic;
use serde::Serialize;
use uuid::Uuid;

use super::body::SuppressionBody;
use super::find::topic_in;
use crate::error::ApiError;
use crate::request::{Request, limit_of, page_from};
use crate::response::Response;
use crate::route::Operation;
use crate::state::SendApiState;
use sending::Deadlines;
use suppression::in_force;

#[derive(Serialize)]
struct ListBody<'a> {
    object: &'static str,
    has_more: bool,
    /// The id at which the next page in this direction begins, for `after` or `before`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
    data: Vec<SuppressionBody<'a>>,
}

/// The query parameters of a page.
#[derive(Debug, PartialEq, Eq)]
struct ListQuery<'a> {
    from: NewestFrom,
    limit: usize,
    origin: Option<&'a str>,
    /// Lists those who left this topic, and not those who are suppressed for all mail.
    topic: Option<Topic>,
}

impl<'a> ListQuery<'a> {
    fn of(parameter: impl Fn(&str) -> Option<&'a str>) -> Result<Self, ApiError> {
        let limit = limit_of(parameter("limit"))?;
        let origin = parameter("origin");
        if origin.is_some_and(|origin| !matches!(origin, "bounce" | "complaint" | "manual")) {
            return Err(ApiError::invalid_parameter(
                "origin",
                "`bounce`, `complaint` or `manual`",
            ));
        }
        let from = page_from(parameter("after"), parameter("before"), "the id of a suppression")?;
        let topic = parameter("topic").map(topic_in).transpose()?;
        if topic.is_some() && origin.is_some() {
            return Err(ApiError::invalid_parameter("origin", "absent beside `topic`"));
        }
        Ok(Self {
            from,
            limit,
            origin,
            topic,
        })
    }
}

pub(crate) async fn list(state: &SendApiState, request: &Request, deadlines: &Deadlines) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let query = request.query(Operation::ListSuppressions.parameters())?;
    let asked = ListQuery::of(|name| query.parameter(name))?;
    let suppression = |entry: &_| in_force(entry, deadlines.arrived, &state.sending.rules.soft_bounce_tiers);
    let page = state.suppressions.newest(asked.from, asked.limit, |entry| {
        if let Some(topic) = &asked.topic {
            return entry.registers.topics.left(topic).is_some();
        }
        suppression(entry).is_some_and(|found| asked.origin.is_none_or(|asked| found.reason.origin() == asked))
    });
    let page = deadlines.before_answering(page).await??;
    let shown = |entry| match &asked.topic {
        Some(topic) => SuppressionBody::of_topic(entry, topic),
        None => Some(SuppressionBody::of(entry, suppression(entry)?)),
    };
    Ok(Response::ok(&ListBody {
        object: "list",
        has_more: page.next.is_some(),
        next: page.next,
        data: page.entries.iter().filter_map(shown).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(parameters: &[(&str, &'a str)]) -> Result<ListQuery<'a>, ApiError> {
        ListQuery::of(|name| parameters.iter().find(|(is, _)| *is == name).map(|(_, value)| *value))
    }

    #[test]
    fn returns_the_newest_twenty_by_default() {
        let usual = asked(&[]).unwrap();
        assert_eq!((usual.from, usual.limit, usual.origin), (NewestFrom::Newest, 20, None));
        let id = Uuid::from_u128(7);
        let text = id.to_string();
        let page = asked(&[("limit", "100"), ("after", &text), ("origin", "manual")]).unwrap();
        assert_eq!(
            (page.from, page.limit, page.origin),
            (NewestFrom::After(id), 100, Some("manual"))
        );
        assert_eq!(asked(&[("before", &text)]).unwrap().from, NewestFrom::Before(id));
    }

    #[test]
    fn rejects_an_invalid_parameter_by_name() {
        let id = Uuid::nil().to_string();
        for (parameters, name) in [
            (vec![("limit", "0")], "limit"),
            (vec![("limit", "101")], "limit"),
            (vec![("limit", "")], "limit"),
            (vec![("limit", "1e1")], "limit"),
            (vec![("origin", "blocked")], "origin"),
            (vec![("after", "x")], "after"),
            (vec![("before", "")], "before"),
            (vec![("before", id.as_str()), ("after", id.as_str())], "after"),
        ] {
            let error = asked(&parameters).unwrap_err();
            assert_eq!((error.status, error.name), (422, "invalid_parameter"));
            assert!(error.message.contains(&format!("`{name}`")), "{}", error.message);
        }
    }
}
