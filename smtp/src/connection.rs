//! One connection: bytes, time and TLS around a [`Session`].

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::answer::RefusalKind;
use crate::data::DataReceiver;
use crate::delivery::{self, Mail};
use crate::limits::{LINE_MAX, Limits};
use crate::reply::Reply;
use crate::session::{self, KeyStatus, Offer, Session, Step};
use crate::shared::Shared;

/// The bytes that are read at once.
const READ: usize = 16 * 1024;

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// The facts about a client before it says anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// The number of the connection, which its lines in the log have.
    pub(crate) connection: u64,
    /// Whether the client is on this machine.
    pub(crate) is_local: bool,
    /// Whether the connection is encrypted from the first byte.
    pub(crate) is_implicit_tls: bool,
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The client has gone, or its bytes are no TLS.
    Gone,
    /// The client gets this last answer.
    With(Reply),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Serves a connection until its end.
pub(crate) async fn serve(stream: Box<dyn Stream>, client: Client, shared: &Shared) {
    let stream = if client.is_implicit_tls {
        match encrypted(stream, shared).await {
            Ok(stream) => stream,
            Err(_) => return,
        }
    } else {
        stream
    };
    let offer = Offer {
        bytes_max: shared.limits.mail_bytes,
        starttls: shared.tls.is_some(),
        is_local: client.is_local,
        default_key: shared.default_key.clone(),
        http_url: shared.http_url.clone(),
    };
    let mut connection = Connection {
        stream,
        input: Vec::new(),
        output: Vec::new(),
        session: Session::new(offer, client.is_implicit_tls),
        client,
        shared,
        began: Instant::now(),
    };
    let end = connection.run().await;
    if let End::With(reply) = end {
        reply.write_to(&mut connection.output);
        let _ = connection.flush().await;
    }
    // The client sees the end of an encrypted connection, and not a cut.
    let _ = tokio::time::timeout(shared.limits.write, connection.stream.shutdown()).await;
}

async fn encrypted(stream: Box<dyn Stream>, shared: &Shared) -> Result<Box<dyn Stream>, End> {
    let config = shared.tls.as_ref().ok_or(End::Gone)?;
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    let handshake = tokio::time::timeout(shared.limits.handshake, acceptor.accept(stream));
    if let Ok(Ok(stream)) = handshake.await {
        return Ok(Box::new(stream));
    }
    shared.metrics.handshakes_failed.add(1);
    Err(End::Gone)
}

struct Connection<'a> {
    stream: Box<dyn Stream>,
    /// Bytes that were read and not used.
    input: Vec<u8>,
    /// Answers that were not sent: those to commands that came together are sent together.
    output: Vec<u8>,
    session: Session,
    client: Client,
    shared: &'a Shared,
    began: Instant,
}

impl Connection<'_> {
    async fn run(&mut self) -> End {
        Session::greeting().write_to(&mut self.output);
        loop {
            if let Err(end) = self.step().await {
                return end;
            }
        }
    }

    fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Reads a line and does what it asks for.
    async fn step(&mut self) -> Result<(), End> {
        let line = self.line().await?;
        let wrong_keys = self.session.wrong_keys();
        let mut step = match line {
            Some(line) => self.session.line(&line),
            None => self.session.line_too_long(),
        };
        let metrics = &self.shared.metrics;
        if let Step::CheckKey(key) = &step {
            let status = self.shared.keys.check(key, &self.shared.api).await;
            match status {
                KeyStatus::Valid => metrics.authenticated.add(1),
                KeyStatus::Unknown => metrics.not_authenticated.add(1),
                KeyStatus::Wrong => {}
            }
            step = self.session.key_checked(status);
        }
        if self.session.wrong_keys() > wrong_keys {
            metrics.not_authenticated.add(1);
            tracing::warn!(connection = self.client.connection, "a client gave a wrong API key");
        }
        match step {
            Step::Reply(reply) => {
                reply.write_to(&mut self.output);
                Ok(())
            }
            Step::Close(reply) => Err(End::With(reply)),
            Step::StartTls(reply) => self.start_tls(&reply).await,
            Step::ReceiveMail(reply) => {
                reply.write_to(&mut self.output);
                self.mail().await
            }
            // It was answered above.
            Step::CheckKey(_) => Err(End::Gone),
        }
    }

    async fn start_tls(&mut self, reply: &Reply) -> Result<(), End> {
        reply.write_to(&mut self.output);
        self.flush().await?;
        // Whatever was sent together with STARTTLS came in clear text, and maybe from somebody else.
        self.input.clear();
        let (nothing, _) = tokio::io::duplex(1);
        let stream = std::mem::replace(&mut self.stream, Box::new(nothing));
        self.stream = encrypted(stream, self.shared).await?;
        self.session.secured();
        Ok(())
    }

    /// Reads a line without its end; nothing if it is too long.
    async fn line(&mut self) -> Result<Option<Vec<u8>>, End> {
        let idle_until = Instant::now() + self.limits().idle;
        let mut is_too_long = false;
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let rest = self.input.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.input, rest);
                is_too_long |= line.len() > LINE_MAX;
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok((!is_too_long).then_some(line));
            }
            if is_tls(&self.input) {
                let text = "This port begins without TLS: use STARTTLS, or a port for TLS from the first byte";
                return Err(End::With(Reply::new(554, "5.5.1", text)));
            }
            if self.input.len() > LINE_MAX {
                is_too_long = true;
                self.input.clear();
            }
            self.flush().await?;
            let lifetime = if self.session.key().is_some() {
                self.limits().connection
            } else {
                self.limits().stranger
            };
            let until = idle_until.min(self.began + lifetime);
            let shared = self.shared;
            tokio::select! {
                read = self.read(until) => read?,
                () = shared.stop.cancelled() => {
                    return Err(End::With(Reply::new(421, "4.3.2", "The server stops. Try again shortly")));
                }
            }
        }
    }

    /// Reads a mail, passes it on and answers. The graceful stop lets it end.
    async fn mail(&mut self) -> Result<(), End> {
        let until = Instant::now() + self.limits().mail;
        let mut data = DataReceiver::default();
        let mut content = Content::Mail(Vec::new());
        let mut taken = self.shared.memory.begin();
        let mut bytes_read = 0;
        loop {
            let most = self.limits().mail_bytes;
            let received = data.receive(&self.input, |bytes| {
                let Content::Mail(mail) = &mut content else {
                    return;
                };
                if mail.len() + bytes.len() > most {
                    content = Content::TooLarge;
                } else if taken.grow(bytes.len()) {
                    mail.extend_from_slice(bytes);
                    return;
                } else {
                    content = Content::NoMemory;
                }
                taken.clear();
            });
            self.input.drain(..received.bytes);
            bytes_read += received.bytes;
            if received.is_end {
                break;
            }
            if bytes_read > most.saturating_mul(2) {
                // Nothing of it is kept, but it need not be read for ever either.
                return Err(End::With(session::too_large(most)));
            }
            self.flush().await?;
            let next = until.min(Instant::now() + self.limits().idle);
            self.read(next).await?;
        }
        let recipients = self.session.take_recipients();
        let reply = match (content, self.session.key()) {
            (Content::Mail(bytes), Some(key)) => {
                let mail = Mail {
                    bytes: Bytes::from(bytes),
                    recipients,
                    key: key.clone(),
                };
                self.deliver(&mail).await
            }
            (Content::TooLarge, _) => session::too_large(self.limits().mail_bytes),
            (Content::NoMemory, _) => Reply::new(452, "4.3.1", "Too many mails at once. Try again later"),
            // A mail cannot begin without a key.
            (Content::Mail(_), None) => Reply::new(530, "5.7.0", "Authentication required"),
        };
        let metrics = &self.shared.metrics;
        match reply.code {
            ..400 => metrics.mails_accepted.add(1),
            400..500 => metrics.mails_deferred.add(1),
            _ => metrics.mails_rejected.add(1),
        }
        reply.write_to(&mut self.output);
        Ok(())
    }

    async fn deliver(&self, mail: &Mail) -> Reply {
        let began = Instant::now();
        let delivery = mail.deliver(&self.shared.api).await;
        let took = began.elapsed();
        delivery::log(self.client.connection, &delivery, mail, took);
        let metrics = &self.shared.metrics;
        metrics
            .answer_ms
            .add(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        if delivery.recipients > 0 {
            metrics.recipients.add(delivery.recipients as u64);
            metrics.bytes.add(mail.bytes.len() as u64);
        }
        if delivery
            .refusals()
            .any(|refusal| refusal.kind == RefusalKind::KeyRevoked)
        {
            self.shared.keys.forget(&mail.key);
        }
        delivery.reply(mail.recipients.len())
    }

    /// Reads some bytes.
    async fn read(&mut self, until: Instant) -> Result<(), End> {
        self.input.reserve(READ);
        match tokio::time::timeout_at(until, self.stream.read_buf(&mut self.input)).await {
            Ok(Ok(0)) => Err(End::Gone),
            Ok(read) => {
                read?;
                Ok(())
            }
            Err(_) => Err(End::With(Reply::new(421, "4.4.2", "The time is over"))),
        }
    }

    /// Sends the answers.
    async fn flush(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        let sent = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        match tokio::time::timeout(self.shared.limits.write, sent).await {
            Ok(sent) => sent?,
            Err(_) => return Err(End::Gone),
        }
        self.output.clear();
        Ok(())
    }
}

/// The content of a mail, as far as it was read.
enum Content {
    Mail(Vec<u8>),
    TooLarge,
    NoMemory,
}

/// Returns whether a client begins with TLS: a handshake record of version 3.
fn is_tls(input: &[u8]) -> bool {
    input.starts_with(&[0x16, 0x03])
}
