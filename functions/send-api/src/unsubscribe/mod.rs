//! `/unsubscribe/{token}`: the public page of a link, and the one-click request of mailbox providers (RFC 8058).
//!
//! Neither has an API key or a cookie: the token proves that the caller has the mail. A `GET` changes nothing, because
//! programs that look for malware open every link of a mail. A wrong token gets the same page whatever is wrong with
//! it.
//!
//! | module | concept |
//! |---|---|
//! | `page` | the page as HTML |
//! | `form` | the choice in the body of a request |

mod form;
mod page;

use domain::suppression::TopicChoice;
use domain::unsubscribe::UnsubscribeToken;
use sending::{Deadlines, Ids};

use self::form::{FormChoice, choice};
use self::page::{Language, POLICY, UnsubscribePage, render};
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;

/// The largest body, in bytes. That of a mailbox provider has 26, and some 200 as multipart.
const BODY_MAX: usize = 4_096;
/// The source of a choice.
const SOURCE: &str = "link";

/// `GET` and `HEAD`: shows the page with one button.
pub(crate) async fn show(state: &SendApiState, request: &Request, deadlines: &Deadlines, token: &str) -> Response {
    let page = match read(state, deadlines, token).await {
        Ok(Some(token)) => UnsubscribePage::Ask { topic: token.topic },
        Ok(None) => UnsubscribePage::WrongLink,
        Err(error) => failed(&error, UnsubscribePage::Unavailable),
    };
    answer(state, &page, request)
}

/// `POST`: records the choice in the body.
pub(crate) async fn choose(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    ids: Ids,
    token: &str,
) -> Response {
    let page = match read(state, deadlines, token).await {
        Ok(Some(token)) => chosen(state, request, deadlines, ids, token).await,
        Ok(None) => Ok(UnsubscribePage::WrongLink),
        Err(error) => Err(error),
    };
    let page = page.unwrap_or_else(|error| failed(&error, UnsubscribePage::Unavailable));
    answer(state, &page, request)
}

async fn chosen(
    state: &SendApiState,
    request: &Request,
    deadlines: &Deadlines,
    ids: Ids,
    token: UnsubscribeToken,
) -> Result<UnsubscribePage, ApiError> {
    let UnsubscribeToken { topic, pseudonym } = token;
    if request.body.len() > BODY_MAX {
        return Ok(UnsubscribePage::WrongRequest { topic });
    }
    let Some(choice) = choice(request.header("content-type").as_deref(), &request.body) else {
        return Ok(UnsubscribePage::WrongRequest { topic });
    };
    // With the address, the list shows whom it is about, and webhooks can name the address. The pseudonym leads to the
    // same entry, so nothing is lost if no mail is on record any more, or if the record cannot be read.
    let address = match deadlines
        .before_sending(state.messages.address_behind(&pseudonym))
        .await
    {
        Ok(Ok(found)) => found.unwrap_or(pseudonym),
        Ok(Err(error)) => {
            tracing::warn!(
                code = error.code,
                "the address behind an unsubscribe link cannot be read; its pseudonym is used"
            );
            pseudonym
        }
        Err(_) => pseudonym,
    };
    let wanted = TopicChoice {
        at: deadlines.now(),
        is_unsubscribed: choice == FormChoice::Leave,
        source: SOURCE.to_owned(),
    };
    let recorded = state.lifting.choose(&address, &topic, &wanted, ids.message);
    // Of a write without an answer, nobody knows whether it happened.
    let recorded = match deadlines.before_answering(recorded).await {
        Ok(Ok(recorded)) => recorded,
        Ok(Err(error)) => return Ok(failed(&error.into(), UnsubscribePage::Unknown)),
        Err(error) => return Ok(failed(&error.into(), UnsubscribePage::Unknown)),
    };
    tracing::info!(
        suppression.id = %recorded.id,
        topic = topic.as_str(),
        left = recorded.has_left,
        "a person used an unsubscribe link"
    );
    Ok(match (choice, recorded.has_left) {
        (FormChoice::Leave, _) => UnsubscribePage::Left { topic },
        (FormChoice::ComeBack, false) => UnsubscribePage::CameBack { topic },
        // The address has choices about as many topics as are kept.
        (FormChoice::ComeBack, true) => UnsubscribePage::CannotComeBack { topic },
    })
}

/// Reads a token. Returns `None` for a wrong one.
async fn read(state: &SendApiState, deadlines: &Deadlines, token: &str) -> Result<Option<UnsubscribeToken>, ApiError> {
    let secrets = state.links.secrets.to_read(deadlines.arrived, |secrets| {
        UnsubscribeToken::read(token, secrets).is_some()
    });
    let secrets = deadlines.before_sending(secrets).await??;
    Ok(secrets.and_then(|secrets| UnsubscribeToken::read(token, &secrets)))
}

/// Logs an error, and returns the page that tells of it.
fn failed(error: &ApiError, page: UnsubscribePage) -> UnsubscribePage {
    tracing::info!(
        status = error.status,
        name = error.name,
        "an unsubscribe link received an error"
    );
    page
}

fn answer(state: &SendApiState, page: &UnsubscribePage, request: &Request) -> Response {
    let language = Language::of(request.header("accept-language").as_deref());
    let html = if request.method == http::Method::HEAD {
        String::new()
    } else {
        render(page, state.sender_name.as_deref(), language)
    };
    Response::page(page.status(), html, POLICY, language.tag())
}
