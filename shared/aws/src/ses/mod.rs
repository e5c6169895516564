//! Amazon SES: sending one mail, and reading the account.

mod client;
mod suppression_list;

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::Blob;
use aws_smithy_types::error::operation::BuildError;
use uuid::Uuid;

pub use client::client;
pub(crate) use client::settings;
pub use suppression_list::{ListError, ListedPage, Pace, SesSuppressionList, SesText};

use crate::connection::NeverSent;
use crate::error_code::error_code;
use domain::account::{Account, EnforcementStatus};
use domain::address::{EmailAddress, Mailbox};
use domain::feedback::TOPIC_TAG;
use domain::message::{
    Attachment, Disposition, Email, Mail, MailContent, OWN_TAGS, SesOptions, TAGS_MAX, Tracking, TrackingEvents,
};
use domain::recipient::ResolvedRecipients;
use domain::ses_error::{SesRefusal, classify};
use domain::stream::Stream;

/// The most identities that SES puts on a page.
const IDENTITIES_PAGE: i32 = 1_000;

/// One attempt to send one mail.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Our id of the message. SES's events bring it back as a tag.
    pub id: Uuid,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The stream that the mail is sent in.
    pub stream: Stream,
    /// The mail.
    pub mail: &'a Mail,
    /// The recipients that it goes to.
    pub destination: &'a ResolvedRecipients<'a>,
}

/// SES did not confirm a mail.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// SES certainly did not take the mail.
    #[error("SES refused: {code}")]
    Refused {
        /// The meaning of the refusal.
        refusal: SesRefusal,
        /// SES's error code, for the log.
        code: String,
    },
    /// The request went out and no answer came back. SES may have taken the mail, so it must not be sent again.
    #[error("no answer from SES: {code}")]
    Ambiguous {
        /// The kind of failure, for the log.
        code: String,
    },
}

/// `GetAccount` failed.
#[derive(Debug, thiserror::Error)]
#[error("GetAccount failed: {code}")]
pub struct AccountError {
    /// SES's error code, or the kind of failure if there was no answer with one.
    pub code: String,
}

/// `ListEmailIdentities` failed.
#[derive(Debug, thiserror::Error)]
#[error("ListEmailIdentities failed: {code}")]
pub struct IdentitiesError {
    /// SES's error code, or the kind of failure if there was no answer with one.
    pub code: String,
}

/// An identity of the account, from which mail can be sent once it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedIdentity {
    /// The domain or the address.
    pub name: String,
    /// Whether it is an address and not a domain.
    pub is_address: bool,
    /// Whether SES has verified it.
    pub is_verified: bool,
}

/// Amazon SES in one region, through one configuration set.
#[derive(Clone, Debug)]
pub struct Ses {
    client: Client,
    configuration_set: String,
    tracking_events: TrackingEvents,
}

impl Ses {
    /// Sends through `configuration_set`, which tracks nothing. The `client` must not retry: see [`super::sesv2`].
    #[must_use]
    pub fn new(client: Client, configuration_set: String) -> Self {
        Self {
            client,
            configuration_set,
            tracking_events: TrackingEvents::Off,
        }
    }

    /// Sends through a configuration set whose events include openings and clicks, or do not.
    #[must_use]
    pub fn with_tracking_events(self, tracking_events: TrackingEvents) -> Self {
        Self {
            tracking_events,
            ..self
        }
    }

    /// Returns whether the configuration set's events include openings and clicks.
    #[must_use]
    pub fn tracking_events(&self) -> TrackingEvents {
        self.tracking_events
    }

    /// Sends a mail once, and returns SES's id of it.
    ///
    /// # Errors
    /// [`SendError`] states whether SES may have taken the mail.
    pub async fn send(&self, outgoing: Outgoing<'_>) -> Result<String, SendError> {
        let request = self.request(&outgoing).map_err(|_| SendError::Refused {
            refusal: SesRefusal::BadRequest,
            code: "IncompleteRequest".to_owned(),
        })?;
        let sender = outgoing.mail.sender().address();
        let answer = request.send().await.map_err(|error| send_error(&error, sender))?;
        // An answer without an id means that SES took the mail, but its id is lost.
        answer.message_id.ok_or_else(|| SendError::Ambiguous {
            code: "NoMessageId".to_owned(),
        })
    }

    fn request(&self, outgoing: &Outgoing<'_>) -> Result<SendEmailFluentBuilder, BuildError> {
        let Outgoing { mail, destination, .. } = *outgoing;
        let SesOptions {
            tenant,
            list_management,
            feedback_address,
            tracking,
        } = &mail.options;
        let destination = types::Destination::builder()
            .set_to_addresses(wire(destination.to.iter().copied()))
            .set_cc_addresses(wire(destination.cc.iter().copied()))
            .set_bcc_addresses(wire(destination.bcc.iter().copied()))
            .build();
        let list = list_management.as_ref().map(|list| {
            types::ListManagementOptions::builder()
                .contact_list_name(&list.contact_list_name)
                .set_topic_name(list.topic_name.clone())
                .build()
        });
        let mut request = self
            .client
            .send_email()
            .destination(destination)
            .configuration_set_name(&self.configuration_set)
            .set_tenant_name(tenant.clone())
            .set_list_management_options(list.transpose()?)
            .set_feedback_forwarding_email_address(feedback_address.as_ref().map(Mailbox::to_wire))
            .set_configuration_overrides(overrides(self.tracking_events, *tracking));
        request = match &mail.content {
            MailContent::Simple(email) => request
                .from_email_address(email.from.to_wire())
                .set_reply_to_addresses(wire(&email.reply_to))
                .content(types::EmailContent::builder().simple(simple(email)?).build()),
            // SES takes the sender of the header if the request names none.
            MailContent::Raw(email) => {
                let raw = types::RawMessage::builder().data(Blob::new(email.message().bytes()));
                request
                    .set_from_email_address(email.source().map(Mailbox::to_wire))
                    .content(types::EmailContent::builder().raw(raw.build()?).build())
            }
        };
        let own_tags = [
            ("okite_id", outgoing.id.to_string()),
            ("okite_attempt", outgoing.attempt.to_string()),
            ("okite_stream", outgoing.stream.as_str().to_owned()),
        ];
        // SES's events about unsubscriptions name the topic by this tag. A mail with as many tags as callers may give
        // has no room for it.
        let has_room = mail.tags().len() < TAGS_MAX - OWN_TAGS;
        let topic = mail.topic.as_ref().filter(|_| has_room);
        let topic = topic.map(|topic| (TOPIC_TAG, topic.as_str().to_owned()));
        let tags = mail.tags().iter().map(|tag| (tag.name(), tag.value().to_owned()));
        for (name, value) in own_tags.into_iter().chain(topic).chain(tags) {
            request = request.email_tags(types::MessageTag::builder().name(name).value(value).build()?);
        }
        Ok(request)
    }

    /// Reads the account. SES allows one such call a second for the whole account, so no send may wait for it.
    ///
    /// # Errors
    /// [`AccountError`] if SES did not answer, or left a figure out.
    pub async fn account(&self) -> Result<Account, AccountError> {
        let answer = self.client.get_account().send().await.map_err(|error| AccountError {
            code: error_code(&error),
        })?;
        let quota = answer.send_quota.ok_or_else(|| AccountError {
            code: "NoSendQuota".to_owned(),
        })?;
        // AWS's JSON may hold `"NaN"`, which cannot be compared with a limit.
        let figures = [quota.max24_hour_send, quota.sent_last24_hours, quota.max_send_rate];
        if !figures.iter().all(|figure| figure.is_finite()) {
            return Err(AccountError {
                code: "NotANumber".to_owned(),
            });
        }
        let enforcement_status = match answer.enforcement_status.as_deref() {
            Some("SHUTDOWN") => EnforcementStatus::Shutdown,
            Some("PROBATION") => EnforcementStatus::Probation,
            _ => EnforcementStatus::Healthy,
        };
        Ok(Account {
            max_24_hour_send: quota.max24_hour_send,
            sent_last_24_hours: quota.sent_last24_hours,
            max_send_rate: quota.max_send_rate,
            production_access: answer.production_access_enabled,
            sending_enabled: answer.sending_enabled,
            enforcement_status,
        })
    }

    /// Lists the verified domains, in lower case. SES's rates leave out mail to them.
    ///
    /// # Errors
    /// [`IdentitiesError`] if SES did not list all identities.
    pub async fn verified_domains(&self, pace: &mut Pace) -> Result<Vec<String>, IdentitiesError> {
        let identities = self.identities(pace).await?.into_iter();
        let verified = identities.filter(|identity| identity.is_verified && !identity.is_address);
        Ok(verified.map(|identity| identity.name.to_ascii_lowercase()).collect())
    }

    /// Lists the identities of the account. There is one call for a thousand identities, and `pace` keeps the calls
    /// apart.
    ///
    /// # Errors
    /// [`IdentitiesError`] if SES did not list all of them.
    pub async fn identities(&self, pace: &mut Pace) -> Result<Vec<ListedIdentity>, IdentitiesError> {
        let mut identities = Vec::new();
        let mut token = None;
        loop {
            pace.wait().await;
            let request = self.client.list_email_identities().page_size(IDENTITIES_PAGE);
            let answer = request.set_next_token(token).send().await;
            let listed = answer.map_err(|error| IdentitiesError {
                code: error_code(&error),
            })?;
            let read = |identity: &types::IdentityInfo| {
                Some(ListedIdentity {
                    name: identity.identity_name.clone()?,
                    is_address: matches!(identity.identity_type, Some(types::IdentityType::EmailAddress)),
                    is_verified: identity.verification_status == Some(types::VerificationStatus::Success),
                })
            };
            identities.extend(listed.email_identities().iter().filter_map(read));
            token = listed.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(identities);
            }
        }
    }
}

/// Writes addresses as SES requires them; `None` if there are none.
fn wire<'a>(mailboxes: impl IntoIterator<Item = &'a Mailbox>) -> Option<Vec<String>> {
    let list: Vec<String> = mailboxes.into_iter().map(Mailbox::to_wire).collect();
    Some(list).filter(|list| !list.is_empty())
}

/// Says what SES tracks. The configuration set would decide otherwise, and track everything.
fn overrides(events: TrackingEvents, tracking: Tracking) -> Option<types::ConfigurationOverrides> {
    let status = |is_tracked| {
        if is_tracked {
            types::FeatureStatus::Enabled
        } else {
            types::FeatureStatus::Disabled
        }
    };
    let overrides = types::TrackingConfigurationOverrides::builder()
        .open_tracking_enabled(status(tracking.opens))
        .click_tracking_enabled(status(tracking.clicks));
    let overrides = types::ConfigurationOverrides::builder().tracking(overrides.build());
    match events {
        TrackingEvents::On => Some(overrides.build()),
        TrackingEvents::Off => None,
    }
}

fn simple(email: &Email) -> Result<types::Message, BuildError> {
    let utf8 = |data: &str| types::Content::builder().data(data).charset("UTF-8").build();
    let mut body = types::Body::builder();
    if let Some(text) = &email.text {
        body = body.text(utf8(text)?);
    }
    if let Some(html) = &email.html {
        body = body.html(utf8(html)?);
    }
    let mut message = types::Message::builder()
        .subject(utf8(&email.subject)?)
        .body(body.build());
    for header in &email.headers {
        message = message.headers(
            types::MessageHeader::builder()
                .name(header.name())
                .value(header.value())
                .build()?,
        );
    }
    for attachment in &email.attachments {
        message = message.attachments(file(attachment)?);
    }
    Ok(message.build())
}

fn file(attachment: &Attachment) -> Result<types::Attachment, BuildError> {
    types::Attachment::builder()
        .file_name(attachment.filename())
        .raw_content(Blob::new(attachment.content()))
        .set_content_type(attachment.content_type().map(str::to_owned))
        .set_content_id(attachment.content_id().map(str::to_owned))
        .content_disposition(match attachment.disposition() {
            Disposition::Attachment => types::AttachmentContentDisposition::Attachment,
            Disposition::Inline => types::AttachmentContentDisposition::Inline,
        })
        // The default is 7bit, which breaks everything but plain ASCII.
        .content_transfer_encoding(types::AttachmentContentTransferEncoding::Base64)
        .build()
}

/// Decides whether SES may have taken a mail whose call failed. In doubt, it may have.
fn send_error(error: &SdkError<SendEmailError, HttpResponse>, sender: &EmailAddress) -> SendError {
    let code = error_code(error);
    match error {
        // The SDK reports an acceptance that it cannot parse as an error of the service.
        SdkError::ServiceError(answer) if answer.raw().status().is_success() => SendError::Ambiguous { code },
        SdkError::ServiceError(answer) => {
            let text = answer.err().message().unwrap_or_default();
            answered(code, text, answer.raw().status().as_u16(), sender)
        }
        SdkError::ConstructionFailure(_) => SendError::Refused {
            refusal: SesRefusal::BadCredentials,
            code,
        },
        // The answer could not be read. Unless its status is an error, the mail is on its way.
        SdkError::ResponseError(answer) => match answer.raw().status().as_u16() {
            status if status >= 400 => answered(code, "", status, sender),
            _ => SendError::Ambiguous { code },
        },
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if NeverSent::is_cause_of(error) => SendError::Refused {
                refusal: SesRefusal::Unreachable,
                code,
            },
            // The SDK found no credentials, so it never wrote a request.
            Some(error) if error.source().is_some_and(<dyn Error>::is::<CredentialsError>) => SendError::Refused {
                refusal: SesRefusal::BadCredentials,
                code,
            },
            _ => SendError::Ambiguous { code },
        },
        _ => SendError::Ambiguous { code },
    }
}

/// Classifies an answer that is an error.
fn answered(code: String, text: &str, status: u16, sender: &EmailAddress) -> SendError {
    match classify(&code, text, status, sender) {
        Some(refusal) => SendError::Refused { refusal, code },
        None => SendError::Ambiguous { code },
    }
}
