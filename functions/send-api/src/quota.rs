//! `GET /quota`: the account as it was last reported.

use domain::account::Report;
use serde::Serialize;

use crate::State;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::time::Time;

#[derive(Serialize)]
struct QuotaBody<'a> {
    object: &'static str,
    /// How long ago the account was read.
    age_seconds: i64,
    #[serde(flatten)]
    report: &'a Report,
}

pub(crate) async fn show(state: &State, request: &Request, time: &Time) -> Result<Response, ApiError> {
    state.authentication.authenticate_full(request, time).await?;
    let report = time.before_answering(state.usage.latest_report()).await??;
    let report = report.ok_or_else(ApiError::no_report)?;
    Ok(Response::ok(&QuotaBody {
        object: "quota",
        age_seconds: time.arrived.duration_since(report.at).as_secs().max(0),
        report: &report,
    }))
}
