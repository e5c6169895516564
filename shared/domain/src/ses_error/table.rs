//! The one table of what SES can answer instead of taking a mail.
//!
//! Rows are tried in this order. Those whose text lists identities come first: whatever an address or a name in that text
//! says, it is not taken for SES's words.

use super::sign::{ErrorSign, MESSAGE_REJECTED, NOT_VERIFIED};
use super::{RetryAdvice, SesRefusal};

/// How long to wait before asking again, in whole seconds: for a service that is down.
pub const RETRY_SOON: u32 = 5;
/// The same for a quota, a limit or a pause: they do not change in a moment.
pub const RETRY_LATER: u32 = 300;
/// The same for the rate, when SES has turned a mail away for as long as a send may wait.
const NEXT_SECOND: u32 = 1;

/// The types by which SES throttles; the text says whether the rate or the quota is meant.
/// <https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html>
const THROTTLING: &[&str] = &[
    "TooManyRequestsException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
];
/// Another limit, or one of the two above: the text tells.
const LIMIT: &[&str] = &["LimitExceededException"];
const REJECTED: &[&str] = &[MESSAGE_REJECTED];

/// What an error is known by, and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SesErrorRow {
    /// The refusal; `None` when SES may have taken the mail all the same.
    pub refusal: Option<SesRefusal>,
    /// What it is known by: any of these.
    pub signs: &'static [ErrorSign],
    /// Who may try again, and when.
    pub retry: RetryAdvice,
    /// What is the matter. `{domain}` stands for the sender's, `{region}` for SES's.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl SesErrorRow {
    /// Says cause and remedy to the caller, who wrote the mail from `domain`. No other part of the mail is in it.
    #[must_use]
    pub fn message(&self, domain: &str, region: &str) -> String {
        let sent = if self.refusal.is_some() {
            "; nothing was sent"
        } else {
            ""
        };
        format!("{}{sent}. {}", self.cause, self.remedy)
            .replace("{domain}", domain)
            .replace("{region}", region)
    }
}

/// One row for each [`SesRefusal`], in its order, and the last for everything else.
pub static TABLE: [SesErrorRow; 20] = [
    SesErrorRow {
        refusal: Some(SesRefusal::SenderNotVerified),
        signs: &[ErrorSign::UnverifiedSender],
        retry: RetryAdvice::Never,
        cause: "The sender domain {domain} is not verified in {region}, nor is this address of it",
        remedy: "Verify it in Amazon SES in that region, or send from an identity that is verified there.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::RecipientNotVerified),
        signs: &[ErrorSign::Saying(REJECTED, &[NOT_VERIFIED])],
        retry: RetryAdvice::Never,
        cause: "The Amazon SES account is in the sandbox in {region}, and a recipient of this email is not verified there",
        remedy: "In the sandbox every recipient must be verified first. Verify the recipient, send to the mailbox \
                 simulator, or ask AWS for production access.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::Blacklisted),
        signs: &[ErrorSign::Saying(REJECTED, &["blacklisted"])],
        retry: RetryAdvice::Never,
        cause: "Amazon SES refuses one of the addresses as blocked",
        remedy: "Leave out the recipient it is, and see to it that mail to the address in `from` is accepted.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::QuotaExceeded),
        signs: &[
            ErrorSign::Saying(THROTTLING, &["quota exceeded"]),
            ErrorSign::Saying(LIMIT, &["quota exceeded"]),
        ],
        retry: RetryAdvice::After(RETRY_LATER),
        cause: "The 24-hour sending quota of the Amazon SES account is used up",
        remedy: "It frees up as the sends of the last 24 hours age; ask AWS for a higher quota if this recurs.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::RateExceeded),
        signs: &[ErrorSign::Type(THROTTLING), ErrorSign::Saying(LIMIT, &["sending rate"])],
        retry: RetryAdvice::AtOnceThenAfter(NEXT_SECOND),
        cause: "The sending rate of the Amazon SES account, in which each recipient counts, is exceeded",
        remedy: "Send more slowly.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::AccountLimit),
        signs: &[ErrorSign::Type(LIMIT)],
        retry: RetryAdvice::After(RETRY_LATER),
        cause: "A limit of the Amazon SES account is reached",
        remedy: "Try again later; if this recurs, an operator must find out which of the account's limits it is.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::SendingPaused),
        signs: &[
            ErrorSign::Type(&[
                "SendingPausedException",
                "AccountSendingPausedException",
                "ConfigurationSetSendingPausedException",
            ]),
            ErrorSign::Saying(REJECTED, &["paused"]),
        ],
        retry: RetryAdvice::After(RETRY_LATER),
        cause: "Sending is paused for the Amazon SES account in {region} or for its configuration set",
        remedy: "An operator must find out why and resume it.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::AccountSuspended),
        signs: &[
            ErrorSign::Type(&["AccountSuspendedException"]),
            ErrorSign::Saying(REJECTED, &["suspended"]),
        ],
        retry: RetryAdvice::Never,
        cause: "AWS has suspended the Amazon SES account in {region}",
        remedy: "An operator must answer the case that AWS opened.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::MailFromNotVerified),
        signs: &[ErrorSign::Type(&["MailFromDomainNotVerifiedException"])],
        retry: RetryAdvice::Never,
        cause: "The custom MAIL FROM domain of {domain} is not verified in {region}",
        remedy: "Repair its DNS records, or remove the MAIL FROM domain from the identity.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::ContentRejected),
        signs: &[ErrorSign::Saying(
            REJECTED,
            &["virus", "malware", "spam", "content", "attachment"],
        )],
        retry: RetryAdvice::Never,
        cause: "Amazon SES refused the content of the email",
        remedy: "Change the content or the attachments.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::Rejected),
        signs: &[ErrorSign::Type(REJECTED)],
        retry: RetryAdvice::Never,
        cause: "Amazon SES rejected the email and did not say why in words that are known here",
        remedy: "Compare it with an email that is accepted: its addresses, headers, content and attachments.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::BadRequest),
        signs: &[ErrorSign::Type(&[
            "BadRequestException",
            "ValidationException",
            "ValidationError",
            "InvalidParameterValue",
        ])],
        retry: RetryAdvice::Never,
        cause: "Amazon SES refused the email as not well-formed",
        remedy: "Check every field.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::StackIncomplete),
        signs: &[ErrorSign::Type(&[
            "NotFoundException",
            "ConfigurationSetDoesNotExistException",
        ])],
        retry: RetryAdvice::Never,
        cause: "A part of the deployment is missing in Amazon SES in {region} (its configuration set, perhaps)",
        remedy: "An operator must deploy again.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::NotSubscribed),
        signs: &[
            ErrorSign::Type(&["OptInRequired", "SubscriptionRequiredException"]),
            ErrorSign::Phrase("needs a subscription for the service"),
        ],
        retry: RetryAdvice::Never,
        cause: "Amazon SES is not enabled for this AWS account in {region}",
        remedy: "An operator must enable it.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::NotAllowed),
        signs: &[ErrorSign::Type(&[
            "AccessDenied",
            "AccessDeniedException",
            "NotAuthorized",
        ])],
        retry: RetryAdvice::Never,
        cause: "The deployment may not send through Amazon SES from this address",
        remedy: "An operator must check the policies: the function's role, the identity's and the organisation's.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::BadCredentials),
        signs: &[
            ErrorSign::Type(&[
                "ExpiredToken",
                "ExpiredTokenException",
                "IncompleteSignature",
                "IncompleteSignatureException",
                "InvalidClientTokenId",
                "InvalidSignatureException",
                "MissingAuthenticationToken",
                "MissingAuthenticationTokenException",
                "RequestExpired",
                "RequestTimeTooSkewed",
                "SignatureDoesNotMatch",
                "UnrecognizedClientException",
            ]),
            ErrorSign::NoAnswer("the function has no credentials to sign with"),
        ],
        retry: RetryAdvice::Never,
        cause: "Amazon SES does not know the deployment by its credentials",
        remedy: "An operator must check the function's role, and that the region is enabled for the AWS account.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::Unreachable),
        signs: &[ErrorSign::NoAnswer("no connection was opened, so nothing was written")],
        retry: RetryAdvice::After(RETRY_SOON),
        cause: "Amazon SES cannot be reached just now",
        remedy: "Try again shortly.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::Unavailable),
        signs: &[ErrorSign::Status(&[429..=429, 503..=503])],
        retry: RetryAdvice::After(RETRY_SOON),
        cause: "Amazon SES turns requests away just now",
        remedy: "Try again shortly.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::Unknown),
        signs: &[ErrorSign::Status(&[300..=407, 409..=499])],
        retry: RetryAdvice::Never,
        cause: "Amazon SES refused the email for a reason that is not known here",
        remedy: "An operator finds the code of the error in the log.",
    },
    // It has the signs of whatever is left. When in doubt, SES took the mail.
    SesErrorRow {
        refusal: None,
        signs: &[
            ErrorSign::Status(&[408..=408, 500..=502, 504..=599]),
            ErrorSign::NoAnswer("no answer in time, a cut connection, or a success that cannot be read"),
        ],
        retry: RetryAdvice::AtTheRiskOfTwo,
        cause: "Amazon SES did not answer, or not clearly, so it is not known whether this email was sent",
        remedy: "Repeat the request with the same `Idempotency-Key`, if it has one: an event of SES settles it, within seconds \
                 as a rule, and nothing is sent twice. With a new key or none it may be sent a second time. The field `id` \
                 is the tag `okite_id` of its events.",
    },
];

// A refusal finds its row by its place, so every build checks the places.
const _: () = {
    let last = TABLE.len() - 1;
    let mut place = 0;
    while place < last {
        assert!(matches!(TABLE[place].refusal, Some(refusal) if refusal as usize == place));
        place += 1;
    }
    assert!(TABLE[last].refusal.is_none());
    assert!(SesRefusal::Unknown as usize + 1 == last);
};
