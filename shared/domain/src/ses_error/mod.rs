//! The meaning of each error of SES's `SendEmail` for the caller.
//!
//! SES reports one condition in several ways. An exceeded sending rate comes as `TooManyRequestsException` or as
//! `Throttling`. An unverified *sender* and an unverified *recipient* (in the sandbox) share one type and differ only
//! in the text. [`TABLE`] has one row for each meaning: its signs in SES's answer, its cause, its remedy and its retry
//! advice. [`classify`] finds the row of an error. Each front adds its own protocol's status; docs/ERRORS.md shows the
//! table with the statuses of the HTTP API. Okite never passes SES's text on, because it contains addresses.
//!
//! Errors of the operation:
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors> and
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html>.

mod sign;
mod table;

use crate::address::EmailAddress;

pub use sign::ErrorSign;
pub use table::{RETRY_LATER, RETRY_SOON, SesErrorRow, TABLE};

/// A certain refusal: SES did not take the mail. The variants have the order of [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SesRefusal {
    /// The sender is not verified in this region.
    SenderNotVerified,
    /// The account is in the sandbox and a recipient is not verified.
    RecipientNotVerified,
    /// SES's legacy block list contains a recipient, or no server accepts mail for the sender.
    Blacklisted,
    /// The account's rolling 24-hour quota is used up.
    QuotaExceeded,
    /// The account's sending rate is exceeded.
    RateExceeded,
    /// Another limit of the account is reached.
    AccountLimit,
    /// Sending is paused for the account or the configuration set.
    SendingPaused,
    /// AWS suspended the account.
    AccountSuspended,
    /// The sender's custom MAIL FROM domain is not verified.
    MailFromNotVerified,
    /// SES refused the content.
    ContentRejected,
    /// SES rejected the message for another reason.
    Rejected,
    /// SES refused the request as malformed: Okite should have checked it first.
    BadRequest,
    /// The configuration set (or another part of the stack) is missing.
    StackIncomplete,
    /// SES is not enabled for this account in this region.
    NotSubscribed,
    /// The function has no permission to send.
    NotAllowed,
    /// The function has no valid credentials.
    BadCredentials,
    /// SES could not be reached at all: the request never left.
    Unreachable,
    /// SES temporarily refuses requests.
    Unavailable,
    /// An unknown error with a status that rules out acceptance.
    Unknown,
}

/// Whether a retry helps, who retries, and when. Times are whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAdvice {
    /// Okite retries while the caller's patience lasts; the caller retries after this time.
    AtOnceThenAfter(u32),
    /// The caller retries after this time.
    After(u32),
    /// A retry fails until somebody removes the cause.
    Never,
    /// A retry may send the mail a second time.
    AtTheRiskOfTwo,
}

/// The party that has to act before SES accepts a mail that it refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCause {
    /// The account's sending rate, quota or another limit, or a pause of its sending. Time or an operator changes it.
    Capacity,
    /// The mail: its content, its addresses, its sender.
    Mail,
    /// The deployment: its role, its configuration set, its identities, its account.
    Deployment,
    /// SES itself: it is unreachable or refuses requests.
    Service,
}

impl SesRefusal {
    /// Returns the row of the table.
    #[must_use]
    pub fn row(self) -> &'static SesErrorRow {
        &TABLE[self as usize]
    }

    /// Returns what has to change before SES accepts the mail.
    #[must_use]
    pub fn fault(self) -> ErrorCause {
        match self {
            Self::QuotaExceeded | Self::RateExceeded | Self::AccountLimit | Self::SendingPaused => ErrorCause::Capacity,
            Self::SenderNotVerified
            | Self::RecipientNotVerified
            | Self::Blacklisted
            | Self::ContentRejected
            | Self::Rejected
            | Self::BadRequest => ErrorCause::Mail,
            Self::MailFromNotVerified
            | Self::AccountSuspended
            | Self::StackIncomplete
            | Self::NotSubscribed
            | Self::NotAllowed
            | Self::BadCredentials
            | Self::Unknown => ErrorCause::Deployment,
            Self::Unreachable | Self::Unavailable => ErrorCause::Service,
        }
    }
}

impl RetryAdvice {
    /// Returns how long the caller waits before a retry, or `None` if waiting does not help.
    #[must_use]
    pub fn seconds(self) -> Option<u32> {
        match self {
            Self::AtOnceThenAfter(seconds) | Self::After(seconds) => Some(seconds),
            Self::Never | Self::AtTheRiskOfTwo => None,
        }
    }
}

/// Returns the row for a mail that SES may have accepted: the last one.
#[must_use]
pub fn ambiguous() -> &'static SesErrorRow {
    &TABLE[TABLE.len() - 1]
}

/// An answer of SES that reports an error.
struct ErrorAnswer<'a> {
    code: &'a str,
    /// In lower case and with single spaces.
    text: String,
    status: u16,
    sender: &'a EmailAddress,
}

/// Classifies an error of SES by its type, its text and its HTTP status. Returns `None` if SES may have accepted the
/// mail. A fault inside SES, a time-out and a request that was broken off may follow the acceptance. So may a 5xx whose
/// type is not known: a proxy between Okite and SES may have answered it after it had passed the mail on. A 4xx other
/// than 408 and a redirect say that the request was not carried out, also if a proxy answers them.
///
/// `sender` is the mail's sender address. An unverified identity is the sender if it is this address or its domain.
/// Otherwise it is a recipient.
#[must_use]
pub fn classify(code: &str, text: &str, status: u16, sender: &EmailAddress) -> Option<SesRefusal> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let answer = ErrorAnswer {
        code,
        text: words.join(" ").to_ascii_lowercase(),
        status,
        sender,
    };
    // These types come with a status that would be certain without them.
    let is_interrupted = |sign: &ErrorSign| matches!(sign, ErrorSign::Type(_)) && sign.is_in(&answer);
    if ambiguous().signs.iter().any(is_interrupted) {
        return None;
    }
    let row = TABLE
        .iter()
        .find(|row| row.signs.iter().any(|sign| sign.is_in(&answer)))?;
    row.refusal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sender() -> EmailAddress {
        EmailAddress::parse("Shop@example.com").unwrap()
    }

    fn refusal(code: &str, text: &str, status: u16) -> SesRefusal {
        classify(code, text, status, &sender()).unwrap()
    }

    #[test]
    fn a_fault_inside_ses_does_not_rule_out_acceptance() {
        for (code, status) in [
            ("InternalFailure", 500),
            ("InternalFailure", 400),
            ("BadGateway", 502),
            ("GatewayTimeout", 504),
            ("RequestTimeoutException", 408),
            ("RequestTimeoutException", 400),
            ("RequestAbortedException", 400),
        ] {
            assert_eq!(classify(code, "", status, &sender()), None, "{code}");
        }
    }

    #[test]
    fn a_server_error_without_a_known_type_does_not_rule_out_acceptance() {
        for status in 500..=599 {
            for code in ["", "UnknownError", "UnreadableAnswer", "SomethingNew"] {
                for text in ["", "Service Unavailable", "<html><h1>503</h1></html>"] {
                    assert_eq!(classify(code, text, status, &sender()), None, "{status} {code}: {text}");
                }
            }
        }
    }

    #[test]
    fn distinguishes_rate_quota_and_other_limits_by_their_text() {
        for code in ["TooManyRequestsException", "Throttling", "ThrottlingException"] {
            assert_eq!(
                refusal(code, "Maximum sending rate exceeded.", 429),
                SesRefusal::RateExceeded
            );
            assert_eq!(
                refusal(code, "Daily message quota exceeded.", 429),
                SesRefusal::QuotaExceeded
            );
        }
        assert_eq!(refusal("TooManyRequestsException", "", 429), SesRefusal::RateExceeded);
        assert_eq!(
            refusal("LimitExceededException", "Too many things", 400),
            SesRefusal::AccountLimit
        );
    }

    /// SES's text for these unverified identities.
    fn not_verified(who: &str) -> String {
        format!("Email address is not verified. The following identities failed the check in region EU-WEST-1: {who}")
    }

    #[test]
    fn distinguishes_an_unverified_sender_from_an_unverified_recipient() {
        for who in [
            "shop@example.com",
            "Shop@example.com",
            "Shop <shop@example.com>",
            "\"The Shop, Inc.\" <shop@example.com>",
            "example.com",
            "shop@example.com.",
            "b@example.org, Shop@example.com",
            "b@example.org, shop@example.com...",
            "b@region.example, Shop@example.com",
        ] {
            assert_eq!(
                refusal("MessageRejected", &not_verified(who), 400),
                SesRefusal::SenderNotVerified,
                "{who}"
            );
        }
        for who in [
            "b@example.org",
            "Bob <b@example.org>",
            "workshop@example.com",
            "shop@example.com.example",
            "b@in region.example",
            "b@example.org, c@example.org",
            "b@example.org, c@example.org...",
        ] {
            assert_eq!(
                refusal("MessageRejected", &not_verified(who), 400),
                SesRefusal::RecipientNotVerified,
                "{who}"
            );
        }
        assert_eq!(
            refusal("MessageRejected", "Email address is not verified.", 400),
            SesRefusal::SenderNotVerified
        );
    }

    #[test]
    fn words_inside_an_address_do_not_count_as_words_of_ses() {
        for who in [
            "blacklisted@example.org",
            "paused@virus.example",
            "\"needs a subscription for the service\" <b@example.org>",
        ] {
            assert_eq!(
                refusal("MessageRejected", &not_verified(who), 400),
                SesRefusal::RecipientNotVerified,
                "{who}"
            );
        }
    }

    /// Type, text and status of answers, and the expected refusal. Texts come from AWS's documentation where it has
    /// any.
    const ANSWERS: &[(&str, &str, u16, SesRefusal)] = &[
        ("SendingPausedException", "", 400, SesRefusal::SendingPaused),
        ("AccountSendingPausedException", "", 400, SesRefusal::SendingPaused),
        (
            "ConfigurationSetSendingPausedException",
            "",
            400,
            SesRefusal::SendingPaused,
        ),
        (
            "MessageRejected",
            "Sending paused for this account. For more information, please check the inbox of the email address \
             associated with your AWS account.",
            400,
            SesRefusal::SendingPaused,
        ),
        ("AccountSuspendedException", "", 400, SesRefusal::AccountSuspended),
        (
            "MessageRejected",
            "Sending suspended for this account.",
            400,
            SesRefusal::AccountSuspended,
        ),
        (
            "MailFromDomainNotVerifiedException",
            "The MAIL FROM domain is not verified.",
            400,
            SesRefusal::MailFromNotVerified,
        ),
        ("MessageRejected", "Address blacklisted.", 400, SesRefusal::Blacklisted),
        (
            "MessageRejected",
            "Message contains a virus",
            400,
            SesRefusal::ContentRejected,
        ),
        ("MessageRejected", "Transaction failed.", 400, SesRefusal::Rejected),
        ("MessageRejected", "", 400, SesRefusal::Rejected),
        ("BadRequestException", "", 400, SesRefusal::BadRequest),
        ("ValidationException", "", 400, SesRefusal::BadRequest),
        ("NotFoundException", "", 404, SesRefusal::StackIncomplete),
        ("AccessDeniedException", "", 403, SesRefusal::NotAllowed),
        ("ExpiredTokenException", "", 403, SesRefusal::BadCredentials),
        ("InvalidSignatureException", "", 403, SesRefusal::BadCredentials),
        ("UnrecognizedClientException", "", 403, SesRefusal::BadCredentials),
        ("OptInRequired", "", 403, SesRefusal::NotSubscribed),
        (
            "AccessDeniedException",
            "The AWS Access Key Id needs a subscription for the service",
            403,
            SesRefusal::NotSubscribed,
        ),
        ("Unheard", "", 429, SesRefusal::Unavailable),
        ("ServiceUnavailable", "", 503, SesRefusal::Unavailable),
        ("ServiceUnavailableException", "", 503, SesRefusal::Unavailable),
        ("SomethingNew", "", 400, SesRefusal::Unknown),
        ("", "", 301, SesRefusal::Unknown),
        ("", "", 499, SesRefusal::Unknown),
    ];

    #[test]
    fn classifies_every_other_error_by_type_text_or_status() {
        for &(code, text, status, expected) in ANSWERS {
            assert_eq!(refusal(code, text, status), expected, "{code}: {text}");
        }
    }

    #[test]
    fn the_status_of_a_known_type_does_not_matter() {
        for &(code, text, status, expected) in ANSWERS {
            if status == 400 && code != "SomethingNew" {
                assert_eq!(refusal(code, text, 500), expected, "{code}: {text}");
            }
        }
    }

    #[test]
    fn a_status_that_is_no_error_does_not_rule_out_acceptance() {
        for status in [100, 200, 204, 600, 999] {
            assert_eq!(classify("", "", status, &sender()), None, "{status}");
        }
    }

    /// Returns answers that have a sign: type, text and status.
    fn answers_with(sign: &ErrorSign) -> Vec<(&str, String, u16)> {
        // An address at the end, in case the sign is about identities.
        let saying = |phrase: &str| format!("{phrase} in region x: b@example.org");
        match sign {
            ErrorSign::Type(types) => types.iter().map(|code| (*code, String::new(), 400)).collect(),
            ErrorSign::Saying(types, phrases) => types
                .iter()
                .flat_map(|code| phrases.iter().map(move |phrase| (*code, saying(phrase), 400)))
                .collect(),
            ErrorSign::Phrase(phrase) => vec![("Odd", saying(phrase), 400)],
            ErrorSign::UnverifiedSender => vec![("MessageRejected", not_verified("example.com"), 400)],
            ErrorSign::Status(statuses) => statuses
                .iter()
                .flat_map(|range| [*range.start(), *range.end()])
                .map(|status| ("Odd", String::new(), status))
                .collect(),
            ErrorSign::NoAnswer(_) => Vec::new(),
        }
    }

    #[test]
    fn no_sign_is_hidden_behind_another_row() {
        for row in &TABLE {
            for (code, text, status) in row.signs.iter().flat_map(answers_with) {
                let classified = classify(code, &text, status, &sender());
                assert_eq!(classified, row.refusal, "{code} {status}: {text}");
            }
        }
    }

    #[test]
    fn phrases_are_in_lower_case_with_single_spaces() {
        for sign in TABLE.iter().flat_map(|row| row.signs) {
            let phrases = match sign {
                ErrorSign::Saying(_, phrases) => phrases.to_vec(),
                ErrorSign::Phrase(phrase) => vec![*phrase],
                _ => continue,
            };
            for phrase in phrases {
                let words: Vec<_> = phrase.split_whitespace().collect();
                assert_eq!(phrase, words.join(" ").to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn waiting_helps_when_capacity_or_service_is_at_fault_and_only_then() {
        for row in &TABLE {
            let waits = row
                .refusal
                .is_some_and(|refusal| matches!(refusal.fault(), ErrorCause::Capacity | ErrorCause::Service));
            assert_eq!(row.retry.seconds().is_some(), waits, "{row:?}");
        }
    }

    #[test]
    fn every_message_has_its_cause_and_remedy_in_whole_sentences() {
        for row in &TABLE {
            let message = row.message("example.com", "eu-west-1");
            assert!(!message.contains(['{', '}', '@']), "{message}");
            assert!(!row.cause.ends_with('.') && row.remedy.ends_with('.'), "{row:?}");
            assert_eq!(message.contains("nothing was sent"), row.refusal.is_some(), "{message}");
        }
        let message = SesRefusal::SenderNotVerified.row().message("example.com", "eu-west-1");
        assert!(
            message.contains("example.com is not verified in eu-west-1"),
            "{message}"
        );
        assert!(message.contains("or send from"), "{message}");
        let message = SesRefusal::RecipientNotVerified
            .row()
            .message("example.com", "eu-west-1");
        assert!(
            message.contains("sandbox in eu-west-1") && message.contains("recipient"),
            "{message}"
        );
        assert!(!message.contains("example.com"), "{message}");
    }

    proptest! {
        #[test]
        fn never_panics(code in "[A-Za-z]{0,20}", text in "\\PC{0,60}", status in 0u16..=u16::MAX) {
            let _ = classify(&code, &text, status, &sender());
            let _ = classify("MessageRejected", &not_verified(&text), status, &sender());
        }

        #[test]
        fn case_and_spacing_of_the_text_do_not_matter(
            answer in 0..ANSWERS.len(), space in "[ \t\r\n]{1,3}", upper in any::<[bool; 32]>(),
        ) {
            let (code, text, status, expected) = ANSWERS[answer];
            let spelled: String = text
                .char_indices()
                .map(|(at, c)| if upper[at % upper.len()] { c.to_ascii_uppercase() } else { c })
                .collect();
            let spelled = format!("{space}{}{space}", spelled.replace(' ', &space));
            prop_assert_eq!(classify(code, &spelled, status, &sender()), Some(expected));
        }

        #[test]
        fn an_unknown_type_is_as_certain_as_its_status(code in "X[a-z]{0,9}", status in 0u16..=u16::MAX) {
            let certain = matches!(status, 300..=407 | 409..=499);
            prop_assert_eq!(classify(&code, "", status, &sender()).is_some(), certain);
        }
    }
}
