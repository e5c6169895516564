//! What each error of SES's `SendEmail` means for the caller.
//!
//! SES says the same thing in different words: a rate that was exceeded comes as `TooManyRequestsException` or as
//! `Throttling`, and an unverified *sender* and an unverified *recipient* (in the sandbox) share one type and differ in
//! the text. [`classify`] is the one place that reads those words; everybody else matches on [`Refusal`]. SES's text
//! itself goes no further: it contains addresses.
//!
//! Errors of the operation: <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors>.

use crate::address::EmailAddress;

/// A certain refusal: SES did not take the mail. What the caller must do differs by variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The account's sending rate is exceeded: try again shortly.
    RateExceeded,
    /// The account's rolling 24-hour quota is used up: try again later.
    QuotaExceeded,
    /// Another limit of the account: try again later.
    AccountLimit,
    /// Sending is paused for the account or the configuration set.
    SendingPaused,
    /// AWS suspended the account.
    AccountSuspended,
    /// The sender's custom MAIL FROM domain is not verified.
    MailFromNotVerified,
    /// The sender is not verified in this region.
    SenderNotVerified,
    /// The account is in the sandbox and a recipient is not verified.
    RecipientNotVerified,
    /// SES's legacy block list holds a recipient.
    Blacklisted,
    /// SES refused the content.
    ContentRejected,
    /// SES refused the request: something that Okite should have checked before.
    BadRequest,
    /// The configuration set (or another part of the stack) is missing.
    StackIncomplete,
    /// The function may not send, or its credentials are not valid.
    NotAllowed,
    /// SES is not enabled for this account in this region.
    NotSubscribed,
    /// SES could not be reached at all: the request never left.
    Unreachable,
    /// SES turned the request away for now.
    Unavailable,
    /// An error we do not know that says it does not pass.
    Unknown,
}

/// Reads SES's error: its type, its text, and the HTTP status it came with. `None` means that the error does not rule
/// out that SES took the mail: a fault inside SES (500, 502) or a time-out (408, 504) may come after the acceptance.
///
/// `sender` is who the mail was from: an identity that failed the check is the sender if it is this address or its
/// domain, and a recipient otherwise.
#[must_use]
pub fn classify(code: &str, text: &str, status: u16, sender: &EmailAddress) -> Option<Refusal> {
    let text = text.to_ascii_lowercase();
    let throttled = matches!(
        code,
        "TooManyRequestsException"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequests"
            | "LimitExceededException"
    );
    if throttled && text.contains("quota exceeded") {
        return Some(Refusal::QuotaExceeded);
    }
    let refusal = match code {
        "LimitExceededException" if !text.contains("sending rate") => Refusal::AccountLimit,
        _ if throttled => Refusal::RateExceeded,
        "SendingPausedException" | "AccountSendingPausedException" | "ConfigurationSetSendingPausedException" => {
            Refusal::SendingPaused
        }
        "AccountSuspendedException" => Refusal::AccountSuspended,
        "MailFromDomainNotVerifiedException" => Refusal::MailFromNotVerified,
        "MessageRejected" => rejected(&text, sender),
        "BadRequestException" | "ValidationException" | "InvalidParameterValue" => Refusal::BadRequest,
        "NotFoundException" | "ConfigurationSetDoesNotExistException" => Refusal::StackIncomplete,
        "OptInRequired" | "SubscriptionRequiredException" => Refusal::NotSubscribed,
        _ if text.contains("needs a subscription for the service") => Refusal::NotSubscribed,
        "AccessDenied"
        | "AccessDeniedException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => Refusal::NotAllowed,
        _ if status == 429 || status == 503 => Refusal::Unavailable,
        _ if status == 408 || status >= 500 => return None,
        _ => Refusal::Unknown,
    };
    Some(refusal)
}

/// Tells the cases of `MessageRejected` apart; `text` is in lower case.
fn rejected(text: &str, sender: &EmailAddress) -> Refusal {
    const NOT_VERIFIED: &str = "email address is not verified";
    if text.contains("blacklisted") {
        return Refusal::Blacklisted;
    }
    if !text.contains(NOT_VERIFIED) {
        return Refusal::ContentRejected;
    }
    // "… The following identities failed the check in region EU-WEST-1: a@example.com, Bob <b@example.org>"
    let identities = text
        .rsplit_once("region")
        .and_then(|(_, rest)| rest.split_once(':'))
        .map(|(_, list)| list);
    let Some(identities) = identities else {
        return Refusal::SenderNotVerified;
    };
    let failed = identities
        .split([',', ' ', '<', '>', '"'])
        .map(|word| word.trim_end_matches('.'));
    let sender_wire = sender.as_wire().to_ascii_lowercase();
    let mut named = failed.filter(|word| !word.is_empty());
    if named.any(|word| word == sender_wire || word == sender.normalised() || word == sender.domain()) {
        Refusal::SenderNotVerified
    } else {
        Refusal::RecipientNotVerified
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sender() -> EmailAddress {
        EmailAddress::parse("Shop@example.com").unwrap()
    }

    fn refusal(code: &str, text: &str, status: u16) -> Refusal {
        classify(code, text, status, &sender()).unwrap()
    }

    #[test]
    fn a_fault_inside_ses_leaves_it_open_whether_it_took_the_mail() {
        for (code, status) in [
            ("InternalFailure", 500),
            ("BadGateway", 502),
            ("GatewayTimeout", 504),
            ("RequestTimeoutException", 408),
        ] {
            assert_eq!(classify(code, "", status, &sender()), None, "{code}");
        }
    }

    #[test]
    fn tells_rate_quota_and_other_limits_apart_by_their_text() {
        for code in ["TooManyRequestsException", "Throttling", "ThrottlingException"] {
            assert_eq!(
                refusal(code, "Maximum sending rate exceeded.", 429),
                Refusal::RateExceeded
            );
            assert_eq!(
                refusal(code, "Daily message quota exceeded.", 429),
                Refusal::QuotaExceeded
            );
        }
        assert_eq!(refusal("TooManyRequestsException", "", 429), Refusal::RateExceeded);
        assert_eq!(
            refusal("LimitExceededException", "Too many things", 400),
            Refusal::AccountLimit
        );
    }

    #[test]
    fn tells_an_unverified_sender_from_an_unverified_recipient() {
        let text = |who: &str| {
            format!(
                "Email address is not verified. The following identities failed the check in region EU-WEST-1: {who}"
            )
        };
        for who in [
            "shop@example.com",
            "Shop@example.com",
            "Shop <shop@example.com>",
            "example.com",
            "b@example.org, Shop@example.com",
        ] {
            assert_eq!(
                refusal("MessageRejected", &text(who), 400),
                Refusal::SenderNotVerified,
                "{who}"
            );
        }
        for who in [
            "b@example.org",
            "Bob <b@example.org>",
            "workshop@example.com",
            "b@example.org, c@example.org",
        ] {
            assert_eq!(
                refusal("MessageRejected", &text(who), 400),
                Refusal::RecipientNotVerified,
                "{who}"
            );
        }
        assert_eq!(
            refusal("MessageRejected", "Email address is not verified.", 400),
            Refusal::SenderNotVerified
        );
    }

    #[test]
    fn knows_every_other_error_by_its_type() {
        for (code, text, status, expected) in [
            ("SendingPausedException", "", 400, Refusal::SendingPaused),
            ("AccountSuspendedException", "", 400, Refusal::AccountSuspended),
            (
                "MailFromDomainNotVerifiedException",
                "",
                400,
                Refusal::MailFromNotVerified,
            ),
            ("MessageRejected", "Address blacklisted.", 400, Refusal::Blacklisted),
            (
                "MessageRejected",
                "Message contains a virus",
                400,
                Refusal::ContentRejected,
            ),
            ("BadRequestException", "", 400, Refusal::BadRequest),
            ("NotFoundException", "", 404, Refusal::StackIncomplete),
            ("AccessDeniedException", "", 403, Refusal::NotAllowed),
            ("ExpiredTokenException", "", 403, Refusal::NotAllowed),
            (
                "OptInRequired",
                "The AWS Access Key Id needs a subscription for the service",
                403,
                Refusal::NotSubscribed,
            ),
            ("Unheard", "", 429, Refusal::Unavailable),
            ("ServiceUnavailable", "", 503, Refusal::Unavailable),
            ("SomethingNew", "", 400, Refusal::Unknown),
        ] {
            assert_eq!(refusal(code, text, status), expected, "{code}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(code in "[A-Za-z]{0,20}", text in "\\PC{0,60}", status in 100u16..600) {
            let _ = classify(&code, &text, status, &sender());
            let text = format!("Email address is not verified. region {text}");
            let _ = classify("MessageRejected", &text, status, &sender());
        }
    }
}
