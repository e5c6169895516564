//! The action that a form asks for.

use super::form::Form;
use super::send_email::{send_email, send_raw_email};
use crate::fault::{ApiFault, FaultKind};
use crate::send::{SendMail, missing};

/// The version of the API. It is the only one.
const VERSION: &str = "2010-12-01";

/// An action that Okite carries out, with its parameters.
#[derive(Clone, Debug)]
pub enum Action {
    /// `SendRawEmail`
    SendRawEmail(SendMail),
    /// `SendEmail`
    SendEmail(SendMail),
    /// `GetSendQuota`
    GetSendQuota,
    /// `GetSendStatistics`
    GetSendStatistics,
    /// `ListVerifiedEmailAddresses`
    ListVerifiedEmailAddresses,
    /// `ListIdentities`
    ListIdentities(ListIdentities),
    /// `GetIdentityVerificationAttributes` of the domains and addresses
    GetIdentityVerificationAttributes(Vec<String>),
    /// `GetAccountSendingEnabled`
    GetAccountSendingEnabled,
}

/// The parameters of `ListIdentities`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListIdentities {
    /// The kind of identities to list. If absent, both are.
    pub identity_type: Option<IdentityType>,
    /// The token of the page before.
    pub next_token: Option<String>,
    /// The most entries on the page.
    pub max_items: Option<usize>,
}

/// The two kinds of identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityType {
    /// An address.
    EmailAddress,
    /// A domain.
    Domain,
}

impl Action {
    /// Reads the action of a request.
    ///
    /// # Errors
    /// A [`ApiFault`] if Okite does not carry the action out, or a parameter is missing or not valid.
    pub fn read(body: &[u8]) -> Result<Self, ApiFault> {
        let mut form = Form::read(body)?;
        if form.take("Version").is_some_and(|version| version != VERSION) {
            return Err(ApiFault::new(
                FaultKind::UnknownOperation,
                format!("The API has the version {VERSION} only."),
            ));
        }
        let action = form
            .take("Action")
            .ok_or_else(|| ApiFault::new(FaultKind::UnknownOperation, "The request has no parameter Action."))?;
        match action.as_str() {
            "SendRawEmail" => send_raw_email(form).map(Self::SendRawEmail),
            "SendEmail" => send_email(form).map(Self::SendEmail),
            "GetSendQuota" => Ok(Self::GetSendQuota),
            "GetSendStatistics" => Ok(Self::GetSendStatistics),
            "ListVerifiedEmailAddresses" => Ok(Self::ListVerifiedEmailAddresses),
            "ListIdentities" => list_identities(form).map(Self::ListIdentities),
            "GetIdentityVerificationAttributes" => match form.take_list("Identities") {
                identities if identities.is_empty() => Err(missing("Identities")),
                identities => Ok(Self::GetIdentityVerificationAttributes(identities)),
            },
            "GetAccountSendingEnabled" => Ok(Self::GetAccountSendingEnabled),
            other => Err(unknown(other)),
        }
    }
}

fn list_identities(mut form: Form) -> Result<ListIdentities, ApiFault> {
    let identity_type = match form.take("IdentityType").as_deref() {
        None => None,
        Some("EmailAddress") => Some(IdentityType::EmailAddress),
        Some("Domain") => Some(IdentityType::Domain),
        Some(_) => return Err(ApiFault::invalid("IdentityType must be EmailAddress or Domain.")),
    };
    let max_items = form.take("MaxItems").map(|text| {
        let items = text.parse().ok().filter(|items| (1..=1_000).contains(items));
        items.ok_or_else(|| ApiFault::invalid("MaxItems must be a whole number from 1 to 1000."))
    });
    Ok(ListIdentities {
        identity_type,
        next_token: form.take("NextToken"),
        max_items: max_items.transpose()?,
    })
}

/// Says what to do instead of an action that is not carried out.
fn unknown(action: &str) -> ApiFault {
    let remedy = if action.contains("Template") {
        "Templates are not supported: render the mail in the application and send it with SendEmail or SendRawEmail."
    } else if action == "SendBounce" {
        "Okite sends no bounces."
    } else if ["Verify", "Delete", "Put", "Set", "Create", "Update", "Clone", "Reorder"]
        .iter()
        .any(|verb| action.starts_with(verb))
    {
        "The account cannot be changed through Okite: use Amazon SES itself."
    } else {
        "Okite carries out SendEmail, SendRawEmail, GetSendQuota, GetSendStatistics, GetAccountSendingEnabled, \
         ListIdentities, ListVerifiedEmailAddresses and GetIdentityVerificationAttributes of this API. Use Amazon SES \
         itself for others."
    };
    ApiFault::new(FaultKind::UnknownOperation, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: &str) -> ApiFault {
        Action::read(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn reads_the_actions_without_parameters() {
        for (body, name) in [
            ("Action=GetSendQuota&Version=2010-12-01", "GetSendQuota"),
            ("Action=GetSendStatistics", "GetSendStatistics"),
            ("Action=ListVerifiedEmailAddresses", "ListVerifiedEmailAddresses"),
            ("Action=GetAccountSendingEnabled", "GetAccountSendingEnabled"),
        ] {
            assert_eq!(format!("{:?}", Action::read(body.as_bytes()).unwrap()), name);
        }
    }

    #[test]
    fn reads_the_parameters_of_identities() {
        let Ok(Action::ListIdentities(list)) = Action::read(b"Action=ListIdentities&IdentityType=Domain&MaxItems=10")
        else {
            panic!("a list");
        };
        assert_eq!(
            (list.identity_type, list.max_items),
            (Some(IdentityType::Domain), Some(10))
        );
        let body = b"Action=GetIdentityVerificationAttributes&Identities.member.1=example.com";
        let Ok(Action::GetIdentityVerificationAttributes(names)) = Action::read(body) else {
            panic!("attributes");
        };
        assert_eq!(names, ["example.com"]);
        for body in [
            "Action=ListIdentities&IdentityType=x",
            "Action=ListIdentities&MaxItems=0",
            "Action=GetIdentityVerificationAttributes",
        ] {
            assert_eq!(fault(body).kind, FaultKind::Invalid, "{body}");
        }
    }

    #[test]
    fn refuses_others_with_a_remedy() {
        for (body, words) in [
            ("", "no parameter Action"),
            ("Action=GetSendQuota&Version=2019-09-27", "2010-12-01"),
            ("Action=SendTemplatedEmail", "Templates"),
            (
                "Action=VerifyEmailAddress&EmailAddress=a%40example.com",
                "cannot be changed",
            ),
            ("Action=DeleteIdentity", "cannot be changed"),
            ("Action=SendBounce", "no bounces"),
            ("Action=ListConfigurationSets", "Okite carries out"),
        ] {
            let fault = fault(body);
            assert_eq!(fault.kind, FaultKind::UnknownOperation, "{body}");
            assert!(fault.message.contains(words), "{body}: {}", fault.message);
        }
    }
}
