//! `okite domains create`: sets a domain up in SES, as far as it is not.

use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::types::{DkimSigningAttributes, DkimSigningKeyLength};
use clap::Args;

use super::account::{Account, AccountArguments};
use super::records::{RecordsError, RecordsOptions, show};
use super::{NotBelow, mail_from_of, parse_domain};
use crate::aws_error::failed;
use crate::execution::{CommandResult, block_on};
use crate::identity;
use crate::output::note;
use crate::target::TargetError;

/// Create a domain in SES with DKIM keys of 2048 bits and a MAIL FROM domain, and print its DNS records
///
/// Nothing is changed that is there already, so the command can be repeated.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  okite domains create example.com --region eu-west-1")]
pub(super) struct CreateCommand {
    /// Domain in the sender addresses, such as example.com
    #[arg(value_parser = parse_domain)]
    domain: String,
    /// Subdomain for the MAIL FROM address, to which bounces go; nothing else may use it [default: bounce]
    #[arg(long, value_name = "SUBDOMAIN")]
    mail_from: Option<String>,
    #[command(flatten)]
    account: AccountArguments,
    #[command(flatten)]
    options: RecordsOptions,
}

/// Why a domain was not set up.
#[derive(Debug, thiserror::Error)]
enum CreateError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    NotBelow(#[from] NotBelow),
    #[error(
        "{domain} has the MAIL FROM domain {present} already. To change it, run: aws sesv2 \
         put-email-identity-mail-from-attributes --email-identity {domain} --mail-from-domain {given}"
    )]
    OtherMailFrom {
        domain: String,
        present: String,
        given: String,
    },
    #[error("{0}")]
    Ses(String),
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl CreateCommand {
    pub(super) fn run(self) -> CommandResult {
        block_on(async {
            let Self {
                domain,
                mail_from,
                account,
                options,
            } = self;
            let given = mail_from.as_deref().unwrap_or("bounce");
            let wanted = mail_from_of(&domain, given).map_err(CreateError::from)?;
            let account = account.open().await.map_err(CreateError::from)?;
            set_up(&account, &domain, &wanted, mail_from.is_some()).await?;
            show(&account, &domain, None, &options).await
        })
    }
}

/// Creates the identity and sets its MAIL FROM domain, each if it is not there.
async fn set_up(account: &Account, domain: &str, wanted: &str, is_explicit: bool) -> Result<(), CreateError> {
    let mut state = identity::read(&account.client, domain)
        .await
        .map_err(CreateError::Ses)?;
    if state.is_none() {
        let dkim = DkimSigningAttributes::builder().next_signing_key_length(DkimSigningKeyLength::Rsa2048Bit);
        let request = account.client.create_email_identity().email_identity(domain);
        match request.dkim_signing_attributes(dkim.build()).send().await {
            Ok(_) => note!("Created {domain} in SES in {}.", account.region),
            // Somebody else was faster.
            Err(SdkError::ServiceError(error)) if error.err().is_already_exists_exception() => {
                state = identity::read(&account.client, domain)
                    .await
                    .map_err(CreateError::Ses)?;
            }
            Err(error) => return Err(CreateError::Ses(failed("CreateEmailIdentity", &error))),
        }
    }
    match state.and_then(|state| state.mail_from) {
        Some((present, _)) if is_explicit && !present.eq_ignore_ascii_case(wanted) => Err(CreateError::OtherMailFrom {
            domain: domain.to_owned(),
            present,
            given: wanted.to_owned(),
        }),
        Some(_) => Ok(()),
        None => {
            let request = account.client.put_email_identity_mail_from_attributes();
            let answer = request.email_identity(domain).mail_from_domain(wanted).send().await;
            answer.map_err(|error| CreateError::Ses(failed("PutEmailIdentityMailFromAttributes", &error)))?;
            note!("Set its MAIL FROM domain to {wanted}.");
            Ok(())
        }
    }
}
