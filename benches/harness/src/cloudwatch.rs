//! An emulated CloudWatch without faults: it has one figure of each rate, in the binary form (CBOR) that the SDK reads.

use crate::http::{Request, Response, Service};

/// `{"Datapoints": [{"Timestamp": 1(1767225600), "Maximum": 0.01}], "Label": "x"}`
const STATISTICS: &[u8] = b"\xa2\x6aDatapoints\x81\xa2\x69Timestamp\xc1\x1a\x69\x55\xb9\x00\x67Maximum\xfb\x3f\x84\x7a\xe1\x47\xae\x14\x7b\x65Label\x61x";

/// The emulated CloudWatch. It stores nothing.
#[derive(Debug)]
pub(crate) struct CloudWatch;

impl Service for CloudWatch {
    fn answer(&self, request: &Request) -> Option<Response> {
        let asks = request.method == "POST" && request.path.ends_with("/operation/GetMetricStatistics");
        let (status, body) = if asks { (200, STATISTICS) } else { (404, &b"\xa0"[..]) };
        let response = Response::new(status, "application/cbor", body);
        Some(response.with("smithy-protocol", "rpc-v2-cbor"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_figures_and_nothing_else() {
        let ask = |path: &str| {
            let request = Request {
                method: "POST".to_owned(),
                path: path.to_owned(),
                ..Request::default()
            };
            CloudWatch.answer(&request).unwrap().status
        };
        let operation = "/service/GraniteServiceVersion20100801/operation";
        assert_eq!(ask(&format!("{operation}/GetMetricStatistics")), 200);
        assert_eq!(ask(&format!("{operation}/DescribeAlarms")), 404);
    }
}
