//! The bounds of connections, bytes and times. A client that is slow, idle or many at once takes no more than these.

use std::time::Duration;

/// The most bytes of a line, with its end. RFC 5321 asks for 512, and for more with the parameters of extensions.
pub const LINE_MAX: usize = 4_096;
/// The most bytes of a mail. Lambda takes 6 MB, and base64 adds a third to the mail.
pub const MAIL_BYTES_MAX: usize = 4_400_000;

/// The bounds of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at once.
    pub connections: usize,
    /// The most connections at once from one address.
    pub connections_per_client: usize,
    /// The most bytes of a mail.
    pub mail_bytes: usize,
    /// The most bytes of all mails together that are in memory.
    pub memory_bytes: usize,
    /// The time that a client has to send a command, or the next bytes of a mail.
    pub idle: Duration,
    /// The time that a client has to send a mail.
    pub mail: Duration,
    /// The time that a client has to encrypt its connection.
    pub handshake: Duration,
    /// The time after which a client that is not authenticated must go.
    pub stranger: Duration,
    /// The time after which every client must go, between two mails.
    pub connection: Duration,
    /// The time that a client has to take an answer.
    pub write: Duration,
    /// The time that mails on their way have to end after the stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_000,
            connections_per_client: 100,
            mail_bytes: MAIL_BYTES_MAX,
            memory_bytes: 256 * 1024 * 1024,
            // RFC 5321, 4.5.3.2.7.
            idle: Duration::from_mins(5),
            mail: Duration::from_mins(10),
            handshake: Duration::from_secs(20),
            stranger: Duration::from_mins(1),
            connection: Duration::from_hours(1),
            write: Duration::from_mins(1),
            // ECS ends a container 30 s after it asked it to stop.
            grace: Duration::from_secs(25),
        }
    }
}
