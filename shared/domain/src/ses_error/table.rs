//! The table of SES's errors: their signs, causes and remedies.
//!
//! [`classify`](super::classify) tries the rows in this order. Rows whose text lists identities come first, so a word
//! inside an address or a name cannot be mistaken for SES's own.

use super::sign::{ErrorSign, MESSAGE_REJECTED, NOT_VERIFIED};
use super::{RetryAdvice, SesRefusal};

/// Seconds to wait before a retry when a service is down.
pub const RETRY_SOON: u32 = 5;
/// Seconds to wait before a retry when a quota, a limit or a pause is the cause: they last longer.
pub const RETRY_LATER: u32 = 300;
/// Seconds to wait before a retry when SES throttled a mail for as long as a send may wait.
const NEXT_SECOND: u32 = 1;

/// The types of errors by which SES throttles. The text names the sending rate or the quota.
/// <https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html>
const THROTTLING: &[&str] = &[
    "TooManyRequestsException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
];
/// Another limit, or one of the two above. The text names it.
const LIMIT: &[&str] = &["LimitExceededException"];
const REJECTED: &[&str] = &[MESSAGE_REJECTED];
/// The types by which an AWS front end turns a request away for now, before anything handles it.
const TURNED_AWAY: &[&str] = &[
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
];
/// The types by which SES reports that it broke off while it handled a request, whatever the status.
/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html>
const INTERRUPTED: &[&str] = &[
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "InternalServiceErrorException",
    "RequestAbortedException",
    "RequestTimeout",
    "RequestTimeoutException",
];

/// One meaning of SES's errors: its signs, its cause, its remedy and the retry advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SesErrorRow {
    /// The refusal; `None` when SES may have accepted the mail.
    pub refusal: Option<SesRefusal>,
    /// The signs; one of them is enough.
    pub signs: &'static [ErrorSign],
    /// Whether a retry helps, and when.
    pub retry: RetryAdvice,
    /// The cause, without a full stop. `{domain}` stands for the sender's domain, `{region}` for the region of SES.
    pub cause: &'static str,
    /// The remedy, in whole sentences.
    pub remedy: &'static str,
}

impl SesErrorRow {
    /// Returns cause and remedy as a message to the caller. `domain` is the sender's; the message has no other part of
    /// the mail.
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

/// One row for each [`SesRefusal`], in its order. The last row is for everything else.
pub static TABLE: [SesErrorRow; 20] = [
    SesErrorRow {
        refusal: Some(SesRefusal::SenderNotVerified),
        signs: &[ErrorSign::UnverifiedSender],
        retry: RetryAdvice::Never,
        cause: "The sender domain {domain} is not verified in {region}, and neither is the sender address",
        remedy: "Verify the domain or the address in Amazon SES in that region, or send from an identity that is verified \
                 there.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::RecipientNotVerified),
        signs: &[ErrorSign::Saying(REJECTED, &[NOT_VERIFIED])],
        retry: RetryAdvice::Never,
        cause: "The Amazon SES account is in the sandbox in {region}, and a recipient of this email is not verified there",
        remedy: "In the sandbox, every recipient must be verified. Verify the recipient, send to the mailbox simulator, or \
                 ask AWS for production access.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::Blacklisted),
        signs: &[ErrorSign::Saying(REJECTED, &["blacklisted"])],
        retry: RetryAdvice::Never,
        cause: "Amazon SES blocks one of the addresses of this email",
        remedy: "Remove the blocked recipient, and make sure that the address in `from` accepts mail.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::QuotaExceeded),
        signs: &[
            ErrorSign::Saying(THROTTLING, &["quota exceeded"]),
            ErrorSign::Saying(LIMIT, &["quota exceeded"]),
        ],
        retry: RetryAdvice::After(RETRY_LATER),
        cause: "The 24-hour sending quota of the Amazon SES account is used up",
        remedy: "Quota becomes free again 24 hours after each email. If this recurs, ask AWS for a higher quota.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::RateExceeded),
        signs: &[ErrorSign::Type(THROTTLING), ErrorSign::Saying(LIMIT, &["sending rate"])],
        retry: RetryAdvice::AtOnceThenAfter(NEXT_SECOND),
        cause: "The sending rate of the Amazon SES account is exceeded",
        remedy: "Send more slowly: each recipient counts towards the rate.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::AccountLimit),
        signs: &[ErrorSign::Type(LIMIT)],
        retry: RetryAdvice::After(RETRY_LATER),
        cause: "A limit of the Amazon SES account is reached",
        remedy: "Try again later. If this recurs, an operator must find out which limit it is.",
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
        remedy: "An operator must find the reason and resume sending.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::AccountSuspended),
        signs: &[
            ErrorSign::Type(&["AccountSuspendedException"]),
            ErrorSign::Saying(REJECTED, &["suspended"]),
        ],
        retry: RetryAdvice::Never,
        cause: "AWS has suspended the Amazon SES account in {region}",
        remedy: "An operator must answer the support case that AWS opened.",
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
        cause: "Amazon SES rejected the email for a reason that Okite does not recognise",
        remedy: "Compare its addresses, headers, content and attachments with an email that SES accepts.",
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
        cause: "Amazon SES refused the email as malformed",
        remedy: "Check every field of the request, and the types of its files: SES refuses some, such as `.exe`.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::StackIncomplete),
        signs: &[ErrorSign::Type(&[
            "NotFoundException",
            "ConfigurationSetDoesNotExistException",
        ])],
        retry: RetryAdvice::Never,
        cause: "A part of the deployment, such as its configuration set, is missing in Amazon SES in {region}",
        remedy: "An operator must deploy the stack again.",
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
        cause: "The deployment has no permission to send through Amazon SES from this address",
        remedy: "An operator must check the policies of the function's role, of the identity and of the organisation.",
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
        cause: "Amazon SES does not accept the credentials of the deployment",
        remedy: "An operator must check the function's role and whether the region is enabled for the AWS account.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::Unreachable),
        signs: &[ErrorSign::NoAnswer("no connection was opened, so nothing was written")],
        retry: RetryAdvice::After(RETRY_SOON),
        cause: "Okite cannot reach Amazon SES",
        remedy: "Try again shortly.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::Unavailable),
        signs: &[ErrorSign::Type(TURNED_AWAY), ErrorSign::Status(&[429..=429])],
        retry: RetryAdvice::After(RETRY_SOON),
        cause: "Amazon SES is temporarily unavailable",
        remedy: "Try again shortly.",
    },
    SesErrorRow {
        refusal: Some(SesRefusal::Unknown),
        signs: &[ErrorSign::Status(&[300..=407, 409..=499])],
        retry: RetryAdvice::Never,
        cause: "Amazon SES refused the email with an error that Okite does not recognise",
        remedy: "An operator can find the error code in the log.",
    },
    // This row has all remaining signs. When in doubt, Okite assumes that SES accepted the mail. A 5xx without a type
    // that is known comes from SES's inside, or from a proxy or a load balancer before it, and may follow the
    // acceptance.
    SesErrorRow {
        refusal: None,
        signs: &[
            ErrorSign::Type(INTERRUPTED),
            ErrorSign::Status(&[408..=408, 500..=599]),
            ErrorSign::NoAnswer("no answer in time, a cut connection, or a success that cannot be read"),
        ],
        retry: RetryAdvice::AtTheRiskOfTwo,
        cause: "Amazon SES, or the table of emails that wait, gave no clear answer, so Okite cannot determine whether this \
                email was sent or will be",
        remedy: "If the request had an `Idempotency-Key`, repeat it with the same key: nothing is sent twice, and an event \
                 of SES usually settles the outcome within seconds. With a new key or none, the email may be sent a second \
                 time. SES's events have the field `id` as their tag `okite_id`.",
    },
];

// A refusal finds its row by its position, so every build checks the positions.
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
