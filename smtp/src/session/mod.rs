//! The state of the protocol in one connection: lines in, steps out. It does no input or output and reads no clock, so
//! every rule of the protocol can be tested here.
//!
//! The caller gives each line to [`Session::line`] and does what the returned [`Step`] says. After some steps it
//! returns with the result: [`Session::key_checked`], [`Session::secured`], and [`Session::take_recipients`] when a
//! mail is whole.

mod errors;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use domain::address::EmailAddress;
use domain::api_key::ApiKey;

use crate::command::Command;
use crate::reply::Reply;
use crate::sasl::{self, Mechanism, Password};

/// The most recipients of a mail. A refusal at a lower number would lose people: many clients do not split a mail.
pub const RECIPIENTS_MAX: usize = 500;
/// The wrong commands after which the server closes a connection.
const ERRORS_MAX: usize = 20;
/// The wrong keys after which the server closes a connection.
const WRONG_KEYS_MAX: usize = 3;

/// The offers of the server in a connection.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The most bytes of a mail.
    pub bytes_max: usize,
    /// Whether the server can encrypt the connection.
    pub starttls: bool,
    /// Whether the client is on the same machine, so that a key in clear text leaves it nowhere.
    pub is_local: bool,
    /// The key of clients that give none; nothing if each client must give one.
    pub default_key: Option<ApiKey>,
    /// The URL that a client of HTTP is told; nothing in front of a stack, because strangers reach that server too.
    pub http_url: Option<String>,
}

/// The next step of a [`Session`]'s caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sends the answer and reads the next line.
    Reply(Reply),
    /// Sends the answer and closes the connection.
    Close(Reply),
    /// Sends the answer, forgets what it has read, and encrypts the connection.
    StartTls(Reply),
    /// Asks Okite whether the key is valid.
    CheckKey(ApiKey),
    /// Sends the answer and reads a mail.
    ReceiveMail(Reply),
}

/// Okite's answer about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// It is valid.
    Valid,
    /// Okite does not know it.
    Wrong,
    /// Okite does not answer.
    Unknown,
}

/// The kind of the next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expecting {
    Command,
    PlainResponse,
    LoginUser,
    LoginPassword,
}

/// The recipients of a mail, each one once.
#[derive(Clone, Default)]
struct Envelope {
    recipients: Vec<EmailAddress>,
    seen: HashSet<String>,
}

/// Shows no address.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("recipients", &self.recipients.len())
            .finish_non_exhaustive()
    }
}

/// The state of the protocol in one connection.
#[derive(Debug)]
pub struct Session {
    offer: Offer,
    is_secure: bool,
    is_greeted: bool,
    /// The key that the client has proved.
    key: Option<ApiKey>,
    /// The key that Okite is asked about.
    key_in_question: Option<ApiKey>,
    expecting: Expecting,
    envelope: Option<Envelope>,
    errors: usize,
    wrong_keys: usize,
}

impl Session {
    /// Begins a session. `is_secure` tells whether the connection is encrypted already.
    #[must_use]
    pub fn new(offer: Offer, is_secure: bool) -> Self {
        Self {
            offer,
            is_secure,
            is_greeted: false,
            key: None,
            key_in_question: None,
            expecting: Expecting::Command,
            envelope: None,
            errors: 0,
            wrong_keys: 0,
        }
    }

    /// Returns the greeting.
    #[must_use]
    pub fn greeting() -> Reply {
        Reply::plain(220, vec!["okite ESMTP".into()])
    }

    /// Returns the key that mails are sent with.
    #[must_use]
    pub fn key(&self) -> Option<&ApiKey> {
        self.key.as_ref().or(self.offer.default_key.as_ref())
    }

    /// Returns the number of wrong keys that the client gave.
    #[must_use]
    pub fn wrong_keys(&self) -> usize {
        self.wrong_keys
    }

    /// Reads a line without its end.
    pub fn line(&mut self, line: &[u8]) -> Step {
        match std::mem::replace(&mut self.expecting, Expecting::Command) {
            Expecting::Command => match Command::parse(line) {
                Ok(command) => self.command(command),
                Err(error) => self.wrong(errors::reply(&error)),
            },
            // RFC 4954: the client gives up.
            _ if line.trim_ascii() == b"*" => self.wrong(Reply::new(501, "5.7.0", "Authentication cancelled")),
            Expecting::PlainResponse => self.password(sasl::plain(line)),
            Expecting::LoginUser => self.login_user(line),
            Expecting::LoginPassword => self.password(sasl::login(line)),
        }
    }

    /// Answers a line that is longer than the standards allow.
    pub fn line_too_long(&mut self) -> Step {
        self.expecting = Expecting::Command;
        self.wrong(Reply::new(500, "5.5.2", "The line is too long"))
    }

    /// Goes on after [`Step::CheckKey`].
    pub fn key_checked(&mut self, status: KeyStatus) -> Step {
        let key = self.key_in_question.take();
        match status {
            KeyStatus::Valid => {
                self.key = key;
                Step::Reply(Reply::new(235, "2.7.0", "Authentication succeeded"))
            }
            KeyStatus::Wrong => self.wrong_key(),
            KeyStatus::Unknown => Step::Reply(Reply::new(
                454,
                "4.7.0",
                "Okite does not answer, so the API key cannot be checked. Try again later",
            )),
        }
    }

    /// Goes on after [`Step::StartTls`], on the encrypted connection: everything that the client said before is
    /// forgotten (RFC 3207, 4.2).
    pub fn secured(&mut self) {
        *self = Self {
            errors: self.errors,
            wrong_keys: self.wrong_keys,
            ..Self::new(self.offer.clone(), true)
        };
    }

    /// Returns the recipients of the mail that has ended, and begins anew.
    #[must_use]
    pub fn take_recipients(&mut self) -> Vec<EmailAddress> {
        self.envelope.take().unwrap_or_default().recipients
    }

    fn command(&mut self, command: Command) -> Step {
        match command {
            Command::Ehlo => self.ehlo(),
            Command::Helo => {
                self.is_greeted = true;
                self.envelope = None;
                Step::Reply(Reply::plain(250, vec!["okite".into()]))
            }
            Command::StartTls => self.start_tls(),
            Command::Auth(mechanism, response) => self.auth(mechanism, response.as_deref()),
            Command::Mail { size } => self.mail(size),
            Command::Rcpt(address) => self.rcpt(&address),
            Command::Data => self.data(),
            Command::Rset => {
                self.envelope = None;
                Step::Reply(Reply::new(250, "2.0.0", "Ok"))
            }
            Command::Noop => Step::Reply(Reply::new(250, "2.0.0", "Ok")),
            Command::Vrfy => Step::Reply(Reply::new(252, "2.5.0", "Send a mail to find out")),
            Command::Help => Step::Reply(Reply::new(
                214,
                "2.0.0",
                "Okite passes mail on to Amazon SES: docs/SMTP.md",
            )),
            Command::Quit => Step::Close(Reply::new(221, "2.0.0", "Bye")),
            Command::NotOffered => self.wrong(Reply::new(502, "5.5.1", "The command is not offered here")),
            Command::Http => {
                let url = self.offer.http_url.as_deref().unwrap_or("the URL of Okite's API");
                let text = format!("This port speaks SMTP. Send HTTP requests to {url}");
                Step::Close(Reply::new(554, "5.5.1", text))
            }
        }
    }

    fn ehlo(&mut self) -> Step {
        self.is_greeted = true;
        self.envelope = None;
        let mut lines: Vec<Cow<'static, str>> = vec![
            "okite".into(),
            "PIPELINING".into(),
            format!("SIZE {}", self.offer.bytes_max).into(),
            "8BITMIME".into(),
            "ENHANCEDSTATUSCODES".into(),
        ];
        if self.offer.starttls && !self.is_secure {
            lines.push("STARTTLS".into());
        }
        if self.may_authenticate() {
            lines.push("AUTH PLAIN LOGIN".into());
        }
        Step::Reply(Reply::plain(250, lines))
    }

    fn start_tls(&mut self) -> Step {
        if self.is_secure {
            return self.wrong(Reply::new(503, "5.5.1", "The connection is encrypted already"));
        }
        if !self.offer.starttls {
            return self.wrong(Reply::new(502, "5.5.1", "STARTTLS is not offered here"));
        }
        Step::StartTls(Reply::new(220, "2.0.0", "Ready to start TLS"))
    }

    /// Returns whether a key may be given: nobody between the client and the server can read it, or it protects
    /// nothing, because mail is taken without one too.
    fn may_authenticate(&self) -> bool {
        self.is_secure || self.offer.is_local || self.offer.default_key.is_some()
    }

    fn auth(&mut self, mechanism: Option<Mechanism>, response: Option<&[u8]>) -> Step {
        if !self.is_greeted {
            return self.wrong(Reply::new(503, "5.5.1", "Say EHLO first"));
        }
        if !self.may_authenticate() {
            return self.wrong(starttls_first());
        }
        if self.key.is_some() {
            return self.wrong(Reply::new(503, "5.5.1", "The client is authenticated already"));
        }
        if self.envelope.is_some() {
            return self.wrong(Reply::new(503, "5.5.1", "AUTH must come before MAIL"));
        }
        match (mechanism, response) {
            (None, _) => self.wrong(Reply::new(504, "5.5.4", "Authenticate with AUTH PLAIN or AUTH LOGIN")),
            (Some(Mechanism::Plain), None) => self.prompt(Expecting::PlainResponse, ""),
            (Some(Mechanism::Plain), Some(response)) => self.password(sasl::plain(response)),
            // "Username:" and "Password:" in base64.
            (Some(Mechanism::Login), None) => self.prompt(Expecting::LoginUser, "VXNlcm5hbWU6"),
            (Some(Mechanism::Login), Some(user)) => self.login_user(user),
        }
    }

    fn login_user(&mut self, user: &[u8]) -> Step {
        match sasl::decoded(user) {
            Some(_) => self.prompt(Expecting::LoginPassword, "UGFzc3dvcmQ6"),
            None => self.password(Password::Malformed),
        }
    }

    fn prompt(&mut self, expecting: Expecting, text: &'static str) -> Step {
        self.expecting = expecting;
        Step::Reply(Reply::plain(334, vec![text.into()]))
    }

    fn password(&mut self, password: Password) -> Step {
        match password {
            Password::Key(key) => {
                self.key_in_question = Some(key.clone());
                Step::CheckKey(key)
            }
            Password::NotAKey => self.wrong_key(),
            Password::Malformed => self.wrong(Reply::new(
                501,
                "5.5.2",
                "The response is not valid base64 of credentials",
            )),
        }
    }

    fn wrong_key(&mut self) -> Step {
        self.wrong_keys += 1;
        let text = "Wrong credentials. The password must be an API key of Okite; the user name may be anything";
        if self.wrong_keys >= WRONG_KEYS_MAX {
            return Step::Close(Reply::new(421, "4.7.0", text));
        }
        Step::Reply(Reply::new(535, "5.7.8", text))
    }

    fn mail(&mut self, size: usize) -> Step {
        if !self.is_greeted {
            return self.wrong(Reply::new(503, "5.5.1", "Say EHLO first"));
        }
        if self.envelope.is_some() {
            return self.wrong(Reply::new(503, "5.5.1", "A mail has begun already: say DATA or RSET"));
        }
        if self.key().is_none() {
            return self.wrong(if self.may_authenticate() {
                Reply::new(
                    530,
                    "5.7.0",
                    "Authentication required: the password is an API key of Okite",
                )
            } else {
                starttls_first()
            });
        }
        if size > self.offer.bytes_max {
            return Step::Reply(too_large(self.offer.bytes_max));
        }
        self.envelope = Some(Envelope::default());
        Step::Reply(Reply::new(250, "2.1.0", "Sender ok"))
    }

    fn rcpt(&mut self, address: &str) -> Step {
        let Some(envelope) = &mut self.envelope else {
            return self.wrong(Reply::new(503, "5.5.1", "Say MAIL first"));
        };
        let address = match EmailAddress::parse(address) {
            Ok(address) => address,
            Err(problem) => return Step::Reply(errors::recipient(problem)),
        };
        if !envelope.seen.contains(address.normalised()) {
            if envelope.recipients.len() == RECIPIENTS_MAX {
                let text = format!("A mail has at most {RECIPIENTS_MAX} recipients. Send the rest in another one");
                return Step::Reply(Reply::new(452, "4.5.3", text));
            }
            envelope.seen.insert(address.normalised().to_owned());
            envelope.recipients.push(address);
        }
        Step::Reply(Reply::new(250, "2.1.5", "Recipient ok"))
    }

    fn data(&mut self) -> Step {
        match &self.envelope {
            None => self.wrong(Reply::new(503, "5.5.1", "Say MAIL first")),
            Some(envelope) if envelope.recipients.is_empty() => {
                self.wrong(Reply::new(554, "5.5.1", "The mail has no valid recipients"))
            }
            Some(_) => Step::ReceiveMail(Reply::plain(354, vec!["End the mail with <CR><LF>.<CR><LF>".into()])),
        }
    }

    /// Answers a wrong command, and closes the connection after too many of them.
    fn wrong(&mut self, reply: Reply) -> Step {
        self.errors += 1;
        if self.errors >= ERRORS_MAX {
            return Step::Close(Reply::new(421, "4.7.0", "Too many wrong commands"));
        }
        Step::Reply(reply)
    }
}

/// Returns the answer to a mail with more bytes than the server takes.
#[must_use]
pub fn too_large(bytes_max: usize) -> Reply {
    let text = format!("The mail is larger than {bytes_max} bytes. Send a link to larger files");
    Reply::new(552, "5.3.4", text)
}

fn starttls_first() -> Reply {
    Reply::new(530, "5.7.0", "Say STARTTLS first")
}
