//! The table of the errors that Okite answers by itself; those of SES are in [`domain::ses_error`].

use domain::ses_error::{RETRY_LATER, RETRY_SOON};

/// How many seconds to wait before asking again what became of a mail that SES did not answer for: its event takes
/// seconds, as a rule.
const RETRY_UNSETTLED: u32 = 60;

/// An error that Okite answers by itself, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    TooLarge,
    NotFound,
    MethodNotAllowed,
    MissingApiKey,
    InvalidApiKey,
    RestrictedApiKey,
    EmailNotFound,
    SuppressionNotFound,
    NoReport,
    InvalidIdempotencyKey,
    InvalidParameter,
    NotJson,
    NotSupported,
    MissingField,
    InvalidEmail,
    InvalidAttachment,
    SenderNotAllowed,
    KeyReused,
    InFlight,
    StillUnknown,
    Suppressed,
    TooFast,
    QuotaUsedUp,
    BulkQuotaUsedUp,
    AllStopped,
    BulkStopped,
    StoreDown,
    BatchTooLarge,
}

/// When the caller may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryWhen {
    /// Not before the request is changed.
    Never,
    /// After so many seconds.
    After(u32),
    /// After a time that depends on the moment.
    Varies,
}

/// What a caller gets for a [`Problem`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProblemRow {
    pub(crate) problem: Problem,
    pub(crate) status: u16,
    /// The name of the error in the contract.
    pub(crate) name: &'static str,
    pub(crate) retry: RetryWhen,
    /// Cause and remedy; a word in braces stands for a value of the moment.
    pub(crate) message: &'static str,
}

impl Problem {
    /// Returns the row of the table.
    pub(crate) fn row(self) -> &'static ProblemRow {
        &PROBLEMS[self as usize]
    }
}

const fn row(problem: Problem, status: u16, name: &'static str, retry: RetryWhen, message: &'static str) -> ProblemRow {
    ProblemRow {
        problem,
        status,
        name,
        retry,
        message,
    }
}

/// One row for each [`Problem`], in its order.
pub(crate) static PROBLEMS: [ProblemRow; 28] = [
    row(
        Problem::TooLarge,
        413,
        "validation_error",
        RetryWhen::Never,
        "The request body is larger than {bytes} bytes. Base64 adds a third to files, so a request can carry about 4.4 MB \
         of files. Send a link to larger ones.",
    ),
    row(
        Problem::NotFound,
        404,
        "not_found",
        RetryWhen::Never,
        "There is no such endpoint. There are POST /emails, POST /emails/batch, GET /emails/{id}, /suppressions, GET /quota, \
         GET /openapi.json and GET /health.",
    ),
    row(
        Problem::MethodNotAllowed,
        405,
        "method_not_allowed",
        RetryWhen::Never,
        "This endpoint takes {methods} only.",
    ),
    row(
        Problem::MissingApiKey,
        401,
        "missing_api_key",
        RetryWhen::Never,
        "Send your API key in the header `Authorization: Bearer ok_…`.",
    ),
    row(
        Problem::InvalidApiKey,
        403,
        "invalid_api_key",
        RetryWhen::Never,
        "The API key is not valid here. `okite keys create --name …` makes a new one.",
    ),
    row(
        Problem::RestrictedApiKey,
        401,
        "restricted_api_key",
        RetryWhen::Never,
        "This API key may only send emails. Use a key with full permission to read or to change anything.",
    ),
    row(
        Problem::EmailNotFound,
        404,
        "not_found",
        RetryWhen::Never,
        "There is no email with this id: check it. Okite keeps records for 30 days unless the deployment says otherwise, and \
         finds an email by Amazon SES's id some seconds after it was sent.",
    ),
    row(
        Problem::SuppressionNotFound,
        404,
        "not_found",
        RetryWhen::Never,
        "No address with this id or spelling is suppressed: it never was, or it was lifted. An address that was suppressed in \
         the last seconds may be found by its spelling only.",
    ),
    row(
        Problem::NoReport,
        503,
        "service_unavailable",
        RetryWhen::After(RETRY_LATER),
        "The quota reporter has not reported yet: it does so every 5 minutes. If this lasts, look at its log.",
    ),
    row(
        Problem::InvalidIdempotencyKey,
        400,
        "invalid_idempotency_key",
        RetryWhen::Never,
        "The header `Idempotency-Key` must have 1 to 256 characters.",
    ),
    row(
        Problem::InvalidParameter,
        422,
        "invalid_parameter",
        RetryWhen::Never,
        "`{parameter}` must be {expected}; nothing was done.",
    ),
    row(
        Problem::NotJson,
        400,
        "validation_error",
        RetryWhen::Never,
        "The request body is not valid JSON: {problem}.",
    ),
    row(
        Problem::NotSupported,
        422,
        "validation_error",
        RetryWhen::Never,
        "`{field}` is not supported yet; nothing was sent. {remedy}",
    ),
    row(
        Problem::MissingField,
        422,
        "missing_required_field",
        RetryWhen::Never,
        "{problem}",
    ),
    row(
        Problem::InvalidEmail,
        422,
        "validation_error",
        RetryWhen::Never,
        "{problem}",
    ),
    row(
        Problem::InvalidAttachment,
        422,
        "invalid_attachment",
        RetryWhen::Never,
        "{problem}",
    ),
    row(
        Problem::SenderNotAllowed,
        403,
        "validation_error",
        RetryWhen::Never,
        "This API key may not send from the domain of `from`. Use a key that may, or another address.",
    ),
    row(
        Problem::KeyReused,
        409,
        "invalid_idempotent_request",
        RetryWhen::Never,
        "This `Idempotency-Key` came with another body within the last 24 hours; nothing was sent now. Use a new key for \
         another email.",
    ),
    row(
        Problem::InFlight,
        409,
        "concurrent_idempotent_requests",
        RetryWhen::Varies,
        "Another request with this `Idempotency-Key` is running, or ended before it could answer. Repeat this request after \
         the time in `retry-after` to get its answer.",
    ),
    row(
        Problem::StillUnknown,
        409,
        "concurrent_idempotent_requests",
        RetryWhen::After(RETRY_UNSETTLED),
        "It is not known whether the email of this `Idempotency-Key` was sent, because Amazon SES did not answer. An event of \
         SES settles it, within seconds as a rule. Until then, for 24 hours at most, this key sends nothing. Repeat the \
         request for its answer, or look for the tag `okite_id` with the value of the field `id` in the events of SES. A new \
         key sends the email again, perhaps a second time.",
    ),
    row(
        Problem::Suppressed,
        422,
        "validation_error",
        RetryWhen::Never,
        "{count} of {all} recipients are suppressed ({reasons}), and `okite_on_suppressed` is `reject`: nothing was sent. \
         `recipients` lists them. Leave them out, or set `okite_on_suppressed` to `skip`.",
    ),
    row(
        Problem::TooFast,
        429,
        "rate_limit_exceeded",
        RetryWhen::Varies,
        "This deployment may send to {rate} recipients a second through its Amazon SES account, and mail comes faster; nothing \
         was sent. Try again in {seconds} s, and send more slowly: each recipient counts.",
    ),
    row(
        Problem::QuotaUsedUp,
        429,
        "daily_quota_exceeded",
        RetryWhen::After(RETRY_LATER),
        "This email has more recipients than are left of this deployment's share of the Amazon SES account's 24-hour sending \
         quota; nothing was sent. The quota frees up as the sends of the last 24 hours age. Ask AWS for more if this recurs.",
    ),
    row(
        Problem::BulkQuotaUsedUp,
        429,
        "daily_quota_exceeded",
        RetryWhen::After(RETRY_LATER),
        "This email has more recipients than are left of the 24-hour sending quota for bulk mail; the rest is kept for \
         transactional mail. Nothing was sent. The quota frees up as the sends of the last 24 hours age; an operator can \
         lower `BulkReserve`, or ask AWS for more.",
    ),
    row(
        Problem::AllStopped,
        503,
        "service_unavailable",
        RetryWhen::After(RETRY_LATER),
        "All sending is stopped, because AWS has shut down sending for the Amazon SES account or an operator has set the brake \
         to `all`; nothing was sent. An operator must answer the case that AWS opened, or release the brake with `okite brake \
         auto`.",
    ),
    row(
        Problem::BulkStopped,
        503,
        "service_unavailable",
        RetryWhen::After(RETRY_LATER),
        "Bulk mail is stopped to keep AWS from pausing the Amazon SES account, because its bounce or complaint rate is too \
         high or an operator has set the brake; nothing was sent. Transactional mail still goes out. `okite status` shows why. \
         Bulk mail resumes when the rate is well below the limit again, or when an operator releases the brake.",
    ),
    row(
        Problem::StoreDown,
        503,
        "service_unavailable",
        RetryWhen::After(RETRY_SOON),
        "The suppression list or the records of emails cannot be reached now, or not in time, so this request sent nothing. \
         Try again shortly, with the same `Idempotency-Key` if it has one.",
    ),
    row(
        Problem::BatchTooLarge,
        422,
        "validation_error",
        RetryWhen::Never,
        "At the present sending rate this batch takes longer than a request may; nothing was sent. Send at most {most} \
         recipients in one batch, or ask AWS for a higher sending rate.",
    ),
];

// A problem finds its row by its place, so every build checks the places.
const _: () = {
    let mut place = 0;
    while place < PROBLEMS.len() {
        assert!(PROBLEMS[place].problem as usize == place);
        place += 1;
    }
    assert!(Problem::BatchTooLarge as usize + 1 == PROBLEMS.len());
};
