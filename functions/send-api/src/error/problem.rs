//! The table of Okite's own errors. SES's errors are in [`domain::ses_error`].

use domain::ses_error::{RETRY_LATER, RETRY_SOON};

/// How many seconds to wait before repeating a request that SES did not answer. SES's event usually comes within
/// seconds.
const RETRY_UNSETTLED: u32 = 60;

/// One of Okite's own errors, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    TooLarge,
    NotFound,
    NotOffered,
    MethodNotAllowed,
    MissingApiKey,
    InvalidApiKey,
    RestrictedApiKey,
    EmailNotFound,
    SuppressionNotFound,
    WebhookNotFound,
    WebhookEventNotFound,
    NoReport,
    InvalidIdempotencyKey,
    UnknownParameter,
    InvalidParameter,
    TwoPagePositions,
    Compressed,
    FormBody,
    NotJson,
    NotSupported,
    MissingField,
    InvalidEmail,
    InvalidAttachment,
    TooManyWebhooks,
    WebhookDisabled,
    SenderNotAllowed,
    KeyReused,
    InFlight,
    StillUnknown,
    NotWaiting,
    Contended,
    Suppressed,
    TooFast,
    QuotaUsedUp,
    BulkQuotaUsedUp,
    AllStopped,
    BulkStopped,
    StoreDown,
    StoreRefused,
    RecallUnknown,
    BatchTooLarge,
}

/// When the caller may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryWhen {
    /// Never with the same request.
    Never,
    /// After this many seconds.
    After(u32),
    /// After a time that each answer computes.
    Varies,
}

/// The answer to a [`Problem`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProblemRow {
    pub(crate) problem: Problem,
    pub(crate) status: u16,
    /// The name of the error in the contract.
    pub(crate) name: &'static str,
    pub(crate) retry: RetryWhen,
    /// Cause and remedy. A word in braces is a placeholder.
    pub(crate) message: &'static str,
}

impl Problem {
    /// Returns the problem's row of the table.
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
pub(crate) static PROBLEMS: [ProblemRow; 41] = [
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
        "This endpoint does not exist. The endpoints are POST /emails, POST /emails/batch, GET /emails, GET /emails?to=…, \
         GET /emails/{id}, PATCH /emails/{id}, POST /emails/{id}/cancel, /suppressions, /webhooks, GET /quota, GET /openapi.json and GET /health.",
    ),
    row(Problem::NotOffered, 404, "not_found", RetryWhen::Never, "{instead}"),
    row(
        Problem::MethodNotAllowed,
        405,
        "method_not_allowed",
        RetryWhen::Never,
        "This endpoint supports only {methods}.",
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
        "The API key is not valid for this deployment. Create one with `okite keys create --name …`.",
    ),
    row(
        Problem::RestrictedApiKey,
        401,
        "restricted_api_key",
        RetryWhen::Never,
        "This API key can only send emails. For everything else, use a key with full permission.",
    ),
    row(
        Problem::EmailNotFound,
        404,
        "not_found",
        RetryWhen::Never,
        "No email has this id. Check the id. Okite keeps records for 30 days by default. By Amazon SES's id it finds \
         an email only if its first request sent it at once; `okite emails show` finds others too.",
    ),
    row(
        Problem::SuppressionNotFound,
        404,
        "not_found",
        RetryWhen::Never,
        "No suppressed address has this id or spelling: it was never suppressed, or its suppression was lifted. If the address \
         was suppressed only seconds ago, look it up by the address instead of the id.",
    ),
    row(
        Problem::WebhookNotFound,
        404,
        "not_found",
        RetryWhen::Never,
        "No webhook has this id: it was never created, or it was deleted. `GET /webhooks` lists all of them.",
    ),
    row(
        Problem::WebhookEventNotFound,
        404,
        "not_found",
        RetryWhen::Never,
        "This webhook has no event with this id. Check both ids. Okite keeps events for 14 days. An event that has just \
         happened is found after the first attempt to deliver it.",
    ),
    row(
        Problem::NoReport,
        503,
        "service_unavailable",
        RetryWhen::After(RETRY_LATER),
        "The quota reporter has not made a report yet. It makes one every 5 minutes. If this error persists, check its log.",
    ),
    row(
        Problem::InvalidIdempotencyKey,
        400,
        "invalid_idempotency_key",
        RetryWhen::Never,
        "The header `Idempotency-Key` must have 1 to 256 characters.",
    ),
    row(
        Problem::UnknownParameter,
        422,
        "invalid_parameter",
        RetryWhen::Never,
        "There is no parameter {parameter} here: the parameters are {known}. Nothing was done.",
    ),
    row(
        Problem::InvalidParameter,
        422,
        "invalid_parameter",
        RetryWhen::Never,
        "`{parameter}` must be {expected}. Nothing was done.",
    ),
    row(
        Problem::TwoPagePositions,
        422,
        "invalid_parameter",
        RetryWhen::Never,
        "`after` and `before` cannot be used together. Nothing was done.",
    ),
    row(
        Problem::Compressed,
        415,
        "validation_error",
        RetryWhen::Never,
        "The request body is compressed ({compression}). Send it without compression, as JSON in UTF-8, and without the header \
         `Content-Encoding`.",
    ),
    row(
        Problem::FormBody,
        415,
        "validation_error",
        RetryWhen::Never,
        "The request body is a form. Send JSON in UTF-8, with the header `Content-Type: application/json`.",
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
        "`{field}` is not supported yet, so nothing was sent. {remedy}",
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
        Problem::TooManyWebhooks,
        409,
        "validation_error",
        RetryWhen::Never,
        "There are {most} webhooks already, and a deployment has no more. Nothing was created. Delete one that is not \
         needed, or change its URL or its events with `PATCH /webhooks/{id}`.",
    ),
    row(
        Problem::WebhookDisabled,
        409,
        "validation_error",
        RetryWhen::Never,
        "This webhook is disabled, so nothing is delivered to it. Nothing was changed. Enable it first: `PATCH \
         /webhooks/{id}` with `{\"status\":\"enabled\"}`.",
    ),
    row(
        Problem::SenderNotAllowed,
        403,
        "validation_error",
        RetryWhen::Never,
        "This API key is not allowed to send from the domain of `from`. Use another key or another address.",
    ),
    row(
        Problem::KeyReused,
        409,
        "invalid_idempotent_request",
        RetryWhen::Never,
        "This `Idempotency-Key` belongs to a request with another body: that one came in the last 24 hours, or its email waits, or \
         it is unknown whether its email was sent. This request sent nothing. Use a new key for each email.",
    ),
    row(
        Problem::InFlight,
        409,
        "concurrent_idempotent_requests",
        RetryWhen::Varies,
        "Another request with this `Idempotency-Key` is running, or it ended before it could answer. To get its answer, repeat \
         this request after the time in `retry-after`.",
    ),
    row(
        Problem::StillUnknown,
        409,
        "concurrent_idempotent_requests",
        RetryWhen::After(RETRY_UNSETTLED),
        "It is unknown whether the email of this `Idempotency-Key` was sent, because Amazon SES did not answer. An event from \
         SES usually settles this within seconds. Until then, this key sends nothing. Repeat the request to get the answer, or \
         search the events from SES for the tag `okite_id` with the value of the field `id`. An operator can settle it with \
         `okite emails settle`. A request with a new key may send the email a second time.",
    ),
    row(
        Problem::NotWaiting,
        409,
        "validation_error",
        RetryWhen::Never,
        "Only an email that waits can be cancelled or get another time. This one does not: its state is `{state}`. Nothing was \
         changed.",
    ),
    row(
        Problem::Contended,
        409,
        "concurrent_idempotent_requests",
        RetryWhen::After(RETRY_SOON),
        "Other requests keep changing this email, so this one changed nothing. Repeat it after the time in `retry-after`.",
    ),
    row(
        Problem::Suppressed,
        422,
        "validation_error",
        RetryWhen::Never,
        "Suppressed recipients: {count} of {all} ({reasons}). `okite_on_suppressed` is `reject`, so nothing was sent. \
         `recipients` lists them. Remove the suppressed recipients, or set `okite_on_suppressed` to `skip`.",
    ),
    row(
        Problem::TooFast,
        429,
        "rate_limit_exceeded",
        RetryWhen::Varies,
        "The requests exceed the sending rate of this deployment, {rate} recipients a second, so nothing was sent. Try again \
         in {seconds} s and send more slowly. Each recipient counts.",
    ),
    row(
        Problem::QuotaUsedUp,
        429,
        "daily_quota_exceeded",
        RetryWhen::After(RETRY_LATER),
        "This email has more recipients than remain in this deployment's share of the Amazon SES account's 24-hour sending \
         quota, so nothing was sent. Quota becomes available again 24 hours after each send. If this recurs, ask AWS for a \
         higher quota.",
    ),
    row(
        Problem::BulkQuotaUsedUp,
        429,
        "daily_quota_exceeded",
        RetryWhen::After(RETRY_LATER),
        "This email has more recipients than remain in the 24-hour sending quota for bulk mail, so nothing was sent. The \
         remaining quota is reserved for transactional mail. Quota becomes available again 24 hours after each send. An \
         operator can lower `BulkReserve` or ask AWS for a higher quota.",
    ),
    row(
        Problem::AllStopped,
        503,
        "service_unavailable",
        RetryWhen::After(RETRY_LATER),
        "All sending is stopped, so nothing was sent. Either AWS has shut down sending for the Amazon SES account, or an \
         operator has set the brake to `all`: `okite brake` shows which. An operator must answer the case that AWS \
         opened, or release the brake with `okite brake auto`.",
    ),
    row(
        Problem::BulkStopped,
        503,
        "service_unavailable",
        RetryWhen::After(RETRY_LATER),
        "Bulk mail is stopped, so nothing was sent. Either the account's bounce or complaint rate is so high that AWS may \
         pause the Amazon SES account, or an operator has set the brake: `okite brake` shows which. Transactional \
         mail is still sent. Bulk mail resumes when the rate is well below the limit, or when an operator releases the brake.",
    ),
    row(
        Problem::StoreDown,
        503,
        "service_unavailable",
        RetryWhen::After(RETRY_SOON),
        "The suppression list, the email records or the webhooks did not respond in time, so this request sent nothing. Try \
         again shortly. If the request has an `Idempotency-Key`, use the same one.",
    ),
    row(
        Problem::StoreRefused,
        503,
        "service_unavailable",
        RetryWhen::After(RETRY_LATER),
        "A table of this deployment is missing, or its functions may not use it, so this request sent nothing. It fails until \
         an operator has mended the deployment: the function's log names the operation and the error. If the request has an \
         `Idempotency-Key`, use the same one afterwards.",
    ),
    row(
        Problem::RecallUnknown,
        503,
        "service_unavailable",
        RetryWhen::After(RETRY_SOON),
        "The email records did not respond in time, so it is unknown whether the email was cancelled or has its new time. \
         Repeat the request: a request that was carried out already does no harm.",
    ),
    row(
        Problem::BatchTooLarge,
        422,
        "validation_error",
        RetryWhen::Never,
        "At the present sending rate this batch would take longer than a request may run, so nothing was sent. Send at most \
         {most} recipients in one batch, or ask AWS for a higher sending rate.",
    ),
];

// A problem's row is found by its index, so every build checks the order.
const _: () = {
    let mut place = 0;
    while place < PROBLEMS.len() {
        assert!(PROBLEMS[place].problem as usize == place);
        place += 1;
    }
    assert!(Problem::BatchTooLarge as usize + 1 == PROBLEMS.len());
};
