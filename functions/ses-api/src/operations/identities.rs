//! The domains and addresses to send from.
//!
//! The token of a page is the name after which the page begins, in base64 for URLs: clients may put it into a query as
//! it is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Call;
use crate::answer::ApiAnswer;
use crate::fault::{ApiFault, FaultKind};
use crate::identity::Identity;
use crate::v1::{self, IdentityType, ListIdentities};
use crate::v2::{self, IdentityPage, ListEmailIdentities};

/// The most identities on a page, as in SES.
const PAGE_MAX: usize = 1_000;

impl Call<'_> {
    /// Returns all identities.
    pub(super) async fn identities(&self) -> Result<Vec<Identity>, ApiFault> {
        let listed = self.state.identities.list(self.deadlines.arrived);
        self.deadlines.before_answering(listed).await?.map_err(|error| {
            tracing::warn!(code = error.code, "SES did not list the identities");
            let kind = match error.code.as_str() {
                "TooManyRequestsException" => FaultKind::Throttled,
                _ => FaultKind::Unavailable,
            };
            ApiFault::new(
                kind,
                "Amazon SES did not list the identities. Repeat the request later.",
            )
        })
    }

    /// Returns those of the identities that have one of the names.
    pub(super) async fn identities_named(&self, names: &[String]) -> Result<Vec<Identity>, ApiFault> {
        let mut identities = self.identities().await?;
        identities.retain(|identity| names.iter().any(|name| name.eq_ignore_ascii_case(&identity.name)));
        Ok(identities)
    }

    pub(super) async fn list_identities(&self, list: &ListIdentities) -> Result<ApiAnswer, ApiFault> {
        let mut identities = self.identities().await?;
        if let Some(kind) = list.identity_type {
            identities.retain(|identity| identity.is_address() == (kind == IdentityType::EmailAddress));
        }
        let page = page(identities, list.max_items, list.next_token.as_deref())?;
        Ok(v1::identities(
            &page.identities,
            page.next_token.as_deref(),
            self.request_id,
        ))
    }

    pub(super) async fn identity_page(&self, list: &ListEmailIdentities) -> Result<ApiAnswer, ApiFault> {
        let page = page(self.identities().await?, list.page_size, list.next_token.as_deref())?;
        Ok(v2::identities(&page, self.request_id))
    }
}

/// Returns a page of identities, which are in the order of their names.
fn page(mut identities: Vec<Identity>, size: Option<usize>, token: Option<&str>) -> Result<IdentityPage, ApiFault> {
    if let Some(token) = token {
        let after = name_of(token)
            .ok_or_else(|| ApiFault::new(FaultKind::InvalidNextToken, "The token is not one of this operation."))?;
        identities.retain(|identity| identity.name > after);
    }
    let size = size.unwrap_or(PAGE_MAX);
    let has_more = identities.len() > size;
    identities.truncate(size);
    let last = identities.last().filter(|_| has_more);
    let next_token = last.map(|last| URL_SAFE_NO_PAD.encode(&last.name));
    Ok(IdentityPage { identities, next_token })
}

fn name_of(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identities(names: &[&str]) -> Vec<Identity> {
        let identity = |name: &&str| Identity {
            name: (*name).to_owned(),
            is_verified: true,
        };
        names.iter().map(identity).collect()
    }

    #[test]
    fn pages_follow_each_other_without_gap() {
        let all = identities(&["a@example.com", "b+c@example.com", "example.com", "example.org"]);
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let page = page(all.clone(), Some(1), token.as_deref()).unwrap();
            seen.extend(page.identities);
            token = page.next_token;
            let Some(token) = &token else { break };
            assert!(!token.contains(['+', '/', '=']), "{token}");
        }
        assert_eq!(seen, all);
        assert_eq!(page(all.clone(), None, None).unwrap().next_token, None);
        assert_eq!(page(all, Some(4), None).unwrap().next_token, None);
    }

    #[test]
    fn refuses_a_token_of_another_form() {
        for token in ["%", "x", "_w"] {
            let fault = page(Vec::new(), None, Some(token)).unwrap_err();
            assert_eq!(fault.kind, FaultKind::InvalidNextToken, "{token}");
        }
    }
}
