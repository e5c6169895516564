//! `GET /health`: that the function runs. It reads no table: a monitor that asks often must cost nothing.

use serde_json::json;

use crate::response::Response;

pub(crate) fn show() -> Response {
    Response::ok(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}
