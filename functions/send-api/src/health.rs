//! `GET /health`: that the function runs. It reads no table: a monitor that asks often must cost nothing.

use serde::Serialize;

use crate::response::Response;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
}

pub(crate) fn show() -> Response {
    Response::ok(&Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}
