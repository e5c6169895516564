//! The counters of a server, in the text format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to the number.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Returns the number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of a server.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Connections that got a place.
    pub connections: Counter,
    /// Connections that got none.
    pub connections_refused: Counter,
    /// Handshakes of TLS that failed.
    pub handshakes_failed: Counter,
    /// Keys that were valid.
    pub authenticated: Counter,
    /// Keys that were wrong, or could not be checked.
    pub not_authenticated: Counter,
    /// Mails that Okite took.
    pub mails_accepted: Counter,
    /// Mails that were refused for now.
    pub mails_deferred: Counter,
    /// Mails that were refused for good.
    pub mails_rejected: Counter,
    /// Recipients of the mails that Okite took.
    pub recipients: Counter,
    /// Bytes of the mails that Okite took.
    pub bytes: Counter,
    /// Milliseconds from the end of a mail to its answer, of all mails together.
    pub answer_ms: Counter,
}

impl Metrics {
    /// Writes the counters, with the number of connections that are open.
    #[must_use]
    pub fn text(&self, open_connections: usize) -> String {
        let mut text = String::new();
        let mut add = |name: &str, kind: &str, help: &str, series: &[(&str, u64)]| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP okite_smtp_{name} {help}\n# TYPE okite_smtp_{name} {kind}");
            for (labels, value) in series {
                let _ = writeln!(text, "okite_smtp_{name}{labels} {value}");
            }
        };
        let open = open_connections as u64;
        add("open_connections", "gauge", "Connections that are open.", &[("", open)]);
        add(
            "connections_total",
            "counter",
            "Connections by whether they got a place.",
            &[
                ("{result=\"accepted\"}", self.connections.get()),
                ("{result=\"refused\"}", self.connections_refused.get()),
            ],
        );
        let handshakes = self.handshakes_failed.get();
        add(
            "failed_handshakes_total",
            "counter",
            "Handshakes of TLS that failed.",
            &[("", handshakes)],
        );
        add(
            "authentications_total",
            "counter",
            "API keys that clients gave.",
            &[
                ("{result=\"valid\"}", self.authenticated.get()),
                ("{result=\"refused\"}", self.not_authenticated.get()),
            ],
        );
        add(
            "mails_total",
            "counter",
            "Mails by the answer to their client.",
            &[
                ("{result=\"accepted\"}", self.mails_accepted.get()),
                ("{result=\"deferred\"}", self.mails_deferred.get()),
                ("{result=\"rejected\"}", self.mails_rejected.get()),
            ],
        );
        add(
            "recipients_total",
            "counter",
            "Recipients of accepted mails.",
            &[("", self.recipients.get())],
        );
        add(
            "bytes_total",
            "counter",
            "Bytes of accepted mails.",
            &[("", self.bytes.get())],
        );
        add(
            "answer_milliseconds_total",
            "counter",
            "Milliseconds between the end of a mail and its answer, of all mails together.",
            &[("", self.answer_ms.get())],
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_form_of_prometheus() {
        let metrics = Metrics::default();
        metrics.mails_accepted.add(2);
        let text = metrics.text(3);
        assert!(
            text.contains("\nokite_smtp_mails_total{result=\"accepted\"} 2\n"),
            "{text}"
        );
        assert!(text.contains("okite_smtp_open_connections 3\n"), "{text}");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(
                name.starts_with("okite_smtp_") && value.parse::<u64>().is_ok(),
                "{line}"
            );
        }
    }
}
