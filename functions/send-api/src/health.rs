//! `GET /health`: shows that the function runs. It reads no table, so a monitor can call it often at no cost.

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
