//! The operations, carried out.
//!
//! | module | concept |
//! |---|---|
//! | `send` | sends a mail, and waits for the end of an earlier attempt at it |
//! | `quota` | the limits of the account, as far as this stack may use them |
//! | `statistics` | the mail and the feedback of the last days |
//! | `identities` | the domains and addresses to send from |
//! | `suppressions` | the suppression list |

mod identities;
mod quota;
mod send;
mod statistics;
mod suppressions;

use domain::api_key::ApiKeyRecord;
use sending::{Deadlines, Ids};
use uuid::Uuid;

use crate::answer::{ApiAnswer, Protocol};
use crate::authentication::check_full;
use crate::fault::{ApiFault, FaultKind};
use crate::request::ApiRequest;
use crate::state::SesApiState;
use crate::v1::{self, Action};
use crate::v2::{self, Operation};

/// An authenticated request.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a SesApiState,
    pub(crate) request: &'a ApiRequest,
    pub(crate) api_key: &'a ApiKeyRecord,
    pub(crate) deadlines: &'a Deadlines,
    pub(crate) ids: Ids,
    /// The id of the request, which every answer states.
    pub(crate) request_id: Uuid,
}

impl Call<'_> {
    /// Carries out the operation that the request names.
    pub(crate) async fn answer(&self, protocol: Protocol) -> Result<ApiAnswer, ApiFault> {
        match protocol {
            Protocol::V1 => self.answer_v1().await,
            Protocol::V2 => self.answer_v2().await,
        }
    }

    async fn answer_v1(&self) -> Result<ApiAnswer, ApiFault> {
        if self.request.method != "POST" {
            return Err(ApiFault::new(
                FaultKind::UnknownOperation,
                "Version 1 of the API takes its parameters as a form in the body of a POST request.",
            ));
        }
        let id = self.request_id;
        match Action::read(&self.request.body)? {
            Action::SendRawEmail(mail) => self.sent(mail, |message_id| v1::sent(true, message_id, id)).await,
            Action::SendEmail(mail) => self.sent(mail, |message_id| v1::sent(false, message_id, id)).await,
            Action::GetSendQuota => Ok(v1::quota(&self.account().await?, id)),
            Action::GetSendStatistics => Ok(v1::statistics(&self.statistics().await?, id)),
            Action::ListVerifiedEmailAddresses => Ok(v1::verified_addresses(&self.identities().await?, id)),
            Action::ListIdentities(list) => self.list_identities(&list).await,
            Action::GetIdentityVerificationAttributes(names) => {
                Ok(v1::verification(&self.identities_named(&names).await?, id))
            }
            Action::GetAccountSendingEnabled => {
                Ok(v1::account_sending_enabled(self.account().await?.sending_enabled, id))
            }
        }
    }

    async fn answer_v2(&self) -> Result<ApiAnswer, ApiFault> {
        let id = self.request_id;
        let ApiRequest {
            method,
            path,
            query,
            body,
            ..
        } = self.request;
        match Operation::of(method, path)? {
            Operation::SendEmail => {
                let mail = v2::send_email(body)?;
                self.sent(mail, |message_id| v2::sent(message_id, id)).await
            }
            Operation::GetAccount => Ok(v2::account(&self.account().await?, id)),
            Operation::ListIdentitiesByQuery => self.identity_page(&v2::ListEmailIdentities::by_query(query)?).await,
            Operation::ListIdentitiesByBody => self.identity_page(&v2::ListEmailIdentities::by_body(body)?).await,
            Operation::GetIdentity(name) => {
                let found = self.identities_named(&[name]).await?;
                v2::identity(found.first(), id)
            }
            Operation::PutSuppressed => {
                check_full(self.api_key)?;
                self.put_suppressed(&v2::PutSuppressed::read(body)?).await
            }
            Operation::ListSuppressed => {
                check_full(self.api_key)?;
                self.list_suppressed(&v2::ListSuppressed::read(query)?).await
            }
            Operation::GetSuppressed(address) => {
                check_full(self.api_key)?;
                self.get_suppressed(&address).await
            }
            Operation::DeleteSuppressed(address) => {
                check_full(self.api_key)?;
                self.delete_suppressed(&address).await
            }
        }
    }
}
