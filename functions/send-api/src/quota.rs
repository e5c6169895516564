//! `GET /quota`: the account as it was last reported.

use domain::report::Report;
use serde::Serialize;

use crate::error::{ApiError, Problem};
use crate::request::Request;
use crate::response::Response;
use crate::state::SendApiState;
use sending::Deadlines;

#[derive(Serialize)]
struct QuotaBody<'a> {
    object: &'static str,
    /// How long ago the account was read.
    age_seconds: i64,
    #[serde(flatten)]
    report: &'a Report,
}

pub(crate) async fn show(state: &SendApiState, request: &Request, deadlines: &Deadlines) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, deadlines).await?;
    let report = deadlines.before_answering(state.usage.latest_report()).await??;
    let report = report.ok_or(Problem::NoReport)?;
    Ok(Response::ok(&QuotaBody {
        object: "quota",
        age_seconds: deadlines.arrived.duration_since(report.at).as_secs().max(0),
        report: &report,
    }))
}
