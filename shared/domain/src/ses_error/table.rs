//! The one table of what SES can answer instead of taking a mail.
//!
//! Rows are tried in this order. Those whose text lists identities come first: whatever an address or a name in that text
//! says, it is not taken for SES's words.

use super::sign::{MESSAGE_REJECTED, NOT_VERIFIED, Sign};
use super::{Refusal, Retry};

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
pub struct Row {
    /// The refusal; `None` when SES may have taken the mail all the same.
    pub refusal: Option<Refusal>,
    /// What it is known by: any of these.
    pub signs: &'static [Sign],
    /// Who may try again, and when.
    pub retry: Retry,
    /// What is the matter. `{domain}` stands for the sender's, `{region}` for SES's.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl Row {
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

/// One row for each [`Refusal`], in its order, and the last for everything else.
pub static TABLE: [Row; 20] = [
    Row {
        refusal: Some(Refusal::SenderNotVerified),
        signs: &[Sign::UnverifiedSender],
        retry: Retry::Never,
        cause: "The sender domain {domain} is not verified in {region}, nor is this address of it",
        remedy: "Verify it in Amazon SES in that region, or send from an identity that is verified there.",
    },
    Row {
        refusal: Some(Refusal::RecipientNotVerified),
        signs: &[Sign::Saying(REJECTED, &[NOT_VERIFIED])],
        retry: Retry::Never,
        cause: "The Amazon SES account is in the sandbox in {region}, and a recipient of this email is not verified there",
        remedy: "In the sandbox every recipient must be verified first. Verify the recipient, send to the mailbox \
                 simulator, or ask AWS for production access.",
    },
    Row {
        refusal: Some(Refusal::Blacklisted),
        signs: &[Sign::Saying(REJECTED, &["blacklisted"])],
        retry: Retry::Never,
        cause: "Amazon SES refuses one of the addresses as blocked",
        remedy: "Leave out the recipient it is, and see to it that mail to the address in `from` is accepted.",
    },
    Row {
        refusal: Some(Refusal::QuotaExceeded),
        signs: &[
            Sign::Saying(THROTTLING, &["quota exceeded"]),
            Sign::Saying(LIMIT, &["quota exceeded"]),
        ],
        retry: Retry::After(RETRY_LATER),
        cause: "The 24-hour sending quota of the Amazon SES account is used up",
        remedy: "It frees up as the sends of the last 24 hours age; ask AWS for a higher quota if this recurs.",
    },
    Row {
        refusal: Some(Refusal::RateExceeded),
        signs: &[Sign::Type(THROTTLING), Sign::Saying(LIMIT, &["sending rate"])],
        retry: Retry::AtOnceThenAfter(NEXT_SECOND),
        cause: "The sending rate of the Amazon SES account, in which each recipient counts, is exceeded",
        remedy: "Send more slowly.",
    },
    Row {
        refusal: Some(Refusal::AccountLimit),
        signs: &[Sign::Type(LIMIT)],
        retry: Retry::After(RETRY_LATER),
        cause: "A limit of the Amazon SES account is reached",
        remedy: "Try again later; if this recurs, an operator must find out which of the account's limits it is.",
    },
    Row {
        refusal: Some(Refusal::SendingPaused),
        signs: &[
            Sign::Type(&[
                "SendingPausedException",
                "AccountSendingPausedException",
                "ConfigurationSetSendingPausedException",
            ]),
            Sign::Saying(REJECTED, &["paused"]),
        ],
        retry: Retry::After(RETRY_LATER),
        cause: "Sending is paused for the Amazon SES account in {region} or for its configuration set",
        remedy: "An operator must find out why and resume it.",
    },
    Row {
        refusal: Some(Refusal::AccountSuspended),
        signs: &[
            Sign::Type(&["AccountSuspendedException"]),
            Sign::Saying(REJECTED, &["suspended"]),
        ],
        retry: Retry::Never,
        cause: "AWS has suspended the Amazon SES account in {region}",
        remedy: "An operator must answer the case that AWS opened.",
    },
    Row {
        refusal: Some(Refusal::MailFromNotVerified),
        signs: &[Sign::Type(&["MailFromDomainNotVerifiedException"])],
        retry: Retry::Never,
        cause: "The custom MAIL FROM domain of {domain} is not verified in {region}",
        remedy: "Repair its DNS records, or remove the MAIL FROM domain from the identity.",
    },
    Row {
        refusal: Some(Refusal::ContentRejected),
        signs: &[Sign::Saying(
            REJECTED,
            &["virus", "malware", "spam", "content", "attachment"],
        )],
        retry: Retry::Never,
        cause: "Amazon SES refused the content of the email",
        remedy: "Change the content or the attachments.",
    },
    Row {
        refusal: Some(Refusal::Rejected),
        signs: &[Sign::Type(REJECTED)],
        retry: Retry::Never,
        cause: "Amazon SES rejected the email and did not say why in words that are known here",
        remedy: "Compare it with an email that is accepted: its addresses, headers, content and attachments.",
    },
    Row {
        refusal: Some(Refusal::BadRequest),
        signs: &[Sign::Type(&[
            "BadRequestException",
            "ValidationException",
            "ValidationError",
            "InvalidParameterValue",
        ])],
        retry: Retry::Never,
        cause: "Amazon SES refused the email as not well-formed",
        remedy: "Check every field.",
    },
    Row {
        refusal: Some(Refusal::StackIncomplete),
        signs: &[Sign::Type(&[
            "NotFoundException",
            "ConfigurationSetDoesNotExistException",
        ])],
        retry: Retry::Never,
        cause: "A part of the deployment is missing in Amazon SES in {region} (its configuration set, perhaps)",
        remedy: "An operator must deploy again.",
    },
    Row {
        refusal: Some(Refusal::NotSubscribed),
        signs: &[
            Sign::Type(&["OptInRequired", "SubscriptionRequiredException"]),
            Sign::Phrase("needs a subscription for the service"),
        ],
        retry: Retry::Never,
        cause: "Amazon SES is not enabled for this AWS account in {region}",
        remedy: "An operator must enable it.",
    },
    Row {
        refusal: Some(Refusal::NotAllowed),
        signs: &[Sign::Type(&["AccessDenied", "AccessDeniedException", "NotAuthorized"])],
        retry: Retry::Never,
        cause: "The deployment may not send through Amazon SES from this address",
        remedy: "An operator must check the policies: the function's role, the identity's and the organisation's.",
    },
    Row {
        refusal: Some(Refusal::BadCredentials),
        signs: &[
            Sign::Type(&[
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
            Sign::NoAnswer("the function has no credentials to sign with"),
        ],
        retry: Retry::Never,
        cause: "Amazon SES does not know the deployment by its credentials",
        remedy: "An operator must check the function's role, and that the region is enabled for the AWS account.",
    },
    Row {
        refusal: Some(Refusal::Unreachable),
        signs: &[Sign::NoAnswer("no connection was opened, so nothing was written")],
        retry: Retry::After(RETRY_SOON),
        cause: "Amazon SES cannot be reached just now",
        remedy: "Try again shortly.",
    },
    Row {
        refusal: Some(Refusal::Unavailable),
        signs: &[Sign::Status(&[429..=429, 503..=503])],
        retry: Retry::After(RETRY_SOON),
        cause: "Amazon SES turns requests away just now",
        remedy: "Try again shortly.",
    },
    Row {
        refusal: Some(Refusal::Unknown),
        signs: &[Sign::Status(&[300..=407, 409..=499])],
        retry: Retry::Never,
        cause: "Amazon SES refused the email for a reason that is not known here",
        remedy: "An operator finds the code of the error in the log.",
    },
    // It has the signs of whatever is left. When in doubt, SES took the mail.
    Row {
        refusal: None,
        signs: &[
            Sign::Status(&[408..=408, 500..=502, 504..=599]),
            Sign::NoAnswer("no answer in time, a cut connection, or a success that cannot be read"),
        ],
        retry: Retry::AtTheRiskOfTwo,
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
    assert!(Refusal::Unknown as usize + 1 == last);
};
