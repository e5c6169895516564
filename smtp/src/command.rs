//! The meaning of a line. `smtp-proto` parses it; this module keeps what the server offers.

use smtp_proto::{
    AUTH_LOGIN, AUTH_PLAIN, Error, MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MAIL_SMTPUTF8, MailFrom, RcptTo, Request,
};

use crate::sasl::Mechanism;

/// The methods of HTTP. A browser may be made to send a request with SMTP commands in its body to this port, so the
/// first line of one ends the connection.
const HTTP_METHODS: [&[u8]; 9] = [
    b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE",
];

/// A command that the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Ehlo,
    Helo,
    StartTls,
    /// The mechanism, if the server has it, and the initial response.
    Auth(Option<Mechanism>, Option<Vec<u8>>),
    /// The size that the client announces.
    Mail {
        size: usize,
    },
    /// The address as the client wrote it; empty for `<>` and `<postmaster>`.
    Rcpt(String),
    Data,
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    /// A command of the standards that the server does not offer.
    NotOffered,
    /// The first line of an HTTP request.
    Http,
}

/// Why a line is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommandError {
    Unknown,
    Syntax(&'static str),
    /// The address of MAIL is not valid.
    Sender,
    /// The address of RCPT is not valid.
    Recipient,
    /// A parameter has a value that is not valid.
    ParameterValue(&'static str),
    /// A parameter belongs to an extension that the server does not offer.
    Parameter(String),
}

impl Command {
    /// Reads a line without its end.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let word = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        if HTTP_METHODS.contains(&word) {
            return Ok(Self::Http);
        }
        // The parser takes everything up to LF, and passes over a CR anywhere.
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(CommandError::Syntax("a line without CR and NUL"));
        }
        let line = [line, b"\n"].concat();
        match Request::parse(&mut line.iter()) {
            Ok(request) => Self::of(request),
            Err(error) => Err(error.into()),
        }
    }

    fn of(request: Request<std::borrow::Cow<'_, str>>) -> Result<Self, CommandError> {
        Ok(match request {
            Request::Ehlo { .. } => Self::Ehlo,
            Request::Helo { .. } => Self::Helo,
            Request::StartTls => Self::StartTls,
            Request::Auth {
                mechanism,
                initial_response,
            } => {
                let mechanism = match mechanism {
                    AUTH_PLAIN => Some(Mechanism::Plain),
                    AUTH_LOGIN => Some(Mechanism::Login),
                    _ => None,
                };
                let response = Some(initial_response).filter(|response| !response.is_empty());
                Self::Auth(mechanism, response.map(|response| response.as_bytes().to_vec()))
            }
            Request::Mail { from } => Self::mail(&from)?,
            Request::Rcpt { to } => Self::rcpt(to)?,
            Request::Data => Self::Data,
            Request::Rset => Self::Rset,
            Request::Noop { .. } => Self::Noop,
            Request::Vrfy { .. } => Self::Vrfy,
            Request::Help { .. } => Self::Help,
            Request::Quit => Self::Quit,
            Request::Lhlo { .. }
            | Request::Bdat { .. }
            | Request::Expn { .. }
            | Request::Etrn { .. }
            | Request::Atrn { .. }
            | Request::Burl { .. } => Self::NotOffered,
        })
    }

    fn mail(from: &MailFrom<std::borrow::Cow<'_, str>>) -> Result<Self, CommandError> {
        let offered = MailFrom {
            address: from.address.clone(),
            flags: from.flags & (MAIL_BODY_7BIT | MAIL_BODY_8BITMIME),
            size: from.size,
            auth: from.auth.clone(),
            ..MailFrom::default()
        };
        if *from != offered {
            let is_utf8 = from.flags & MAIL_SMTPUTF8 != 0;
            let parameter = if is_utf8 { "SMTPUTF8" } else { "another" };
            return Err(CommandError::Parameter(parameter.to_owned()));
        }
        Ok(Self::Mail { size: from.size })
    }

    fn rcpt(to: RcptTo<std::borrow::Cow<'_, str>>) -> Result<Self, CommandError> {
        let offered = RcptTo {
            address: to.address.clone(),
            ..RcptTo::default()
        };
        if to != offered {
            return Err(CommandError::Parameter("another".to_owned()));
        }
        Ok(Self::Rcpt(to.address.into_owned()))
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownCommand => Self::Unknown,
            Error::InvalidSenderAddress => Self::Sender,
            Error::InvalidRecipientAddress => Self::Recipient,
            Error::SyntaxError { syntax } => Self::Syntax(syntax),
            Error::InvalidParameter { param } => Self::ParameterValue(param),
            Error::UnsupportedParameter { param } => Self::Parameter(param),
            // The line is whole, and its end belongs to it.
            Error::NeedsMoreData { .. } | Error::ResponseTooLong | Error::InvalidResponse { .. } => {
                Self::Syntax("a whole command")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Result<Command, CommandError> {
        Command::parse(line.as_bytes())
    }

    fn rcpt(address: &str) -> Command {
        Command::Rcpt(address.to_owned())
    }

    #[test]
    fn reads_what_clients_send() {
        for (line, command) in [
            ("EHLO [127.0.0.1]", Command::Ehlo),
            ("ehlo laptop", Command::Ehlo),
            ("HELO a", Command::Helo),
            ("MAIL FROM:<a@example.com>", Command::Mail { size: 0 }),
            (
                "mail from: <a@example.com> size=17 BODY=8BITMIME",
                Command::Mail { size: 17 },
            ),
            ("MAIL FROM:<> BODY=7BIT AUTH=<>", Command::Mail { size: 0 }),
            ("MAIL FROM:<root@localhost>", Command::Mail { size: 0 }),
            ("DATA", Command::Data),
            ("STARTTLS", Command::StartTls),
            ("QUIT ", Command::Quit),
            ("NOOP x", Command::Noop),
            ("BDAT 12 LAST", Command::NotOffered),
            ("EXPN all", Command::NotOffered),
            ("VRFY a", Command::Vrfy),
            (
                "AUTH PLAIN AGEAYg==",
                Command::Auth(Some(Mechanism::Plain), Some(b"AGEAYg==".to_vec())),
            ),
            ("auth login", Command::Auth(Some(Mechanism::Login), None)),
            ("AUTH CRAM-MD5", Command::Auth(None, None)),
            ("POST / HTTP/1.1", Command::Http),
            ("GET /", Command::Http),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn reads_recipients() {
        assert_eq!(parse("RCPT TO:<b@example.net>"), Ok(rcpt("b@example.net")));
        assert_eq!(parse("RCPT TO:<\"b\"@example.net>"), Ok(rcpt("b@example.net")));
        assert_eq!(
            parse("RCPT TO:<@relay.example:b@example.net>"),
            Ok(rcpt("b@example.net"))
        );
        assert_eq!(parse("RCPT TO:<>"), Ok(rcpt("")));
        assert_eq!(parse("RCPT TO:<Postmaster>"), Ok(rcpt("")));
        for line in ["RCPT TO:<b>", "RCPT TO:<@example.net>", "RCPT TO:<b@c@example.net>"] {
            assert_eq!(parse(line), Err(CommandError::Recipient), "{line}");
        }
    }

    #[test]
    fn refuses_what_is_not_offered() {
        for line in [
            "MAIL FROM:<a@example.com> SMTPUTF8",
            "MAIL FROM:<a@example.com> BODY=BINARYMIME",
            "MAIL FROM:<a@example.com> RET=FULL",
            "MAIL FROM:<a@example.com> HOLDFOR=5",
            "MAIL FROM:<a@example.com> X=1",
            "RCPT TO:<a@example.com> NOTIFY=NEVER",
        ] {
            assert!(
                matches!(parse(line), Err(CommandError::Parameter(_))),
                "{line}: {:?}",
                parse(line)
            );
        }
        assert!(matches!(
            parse("MAIL FROM:<a@example.com> SIZE=x"),
            Err(CommandError::ParameterValue(_))
        ));
        assert!(matches!(parse("MAIL FROM:a@example.com"), Err(CommandError::Syntax(_))));
        assert!(matches!(parse("RCPT TO:b@example.net"), Err(CommandError::Syntax(_))));
        assert_eq!(parse("MAIL FROM:<a>"), Err(CommandError::Sender));
        assert_eq!(parse("XCLIENT a"), Err(CommandError::Unknown));
        assert_eq!(parse(""), Err(CommandError::Unknown));
    }

    #[test]
    fn a_line_is_one_command() {
        for line in ["NOOP\rQUIT", "RCPT TO:<a@example.com\r>", "MAIL FROM:<a\0@example.com>"] {
            assert!(matches!(parse(line), Err(CommandError::Syntax(_))), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            line in "(MAIL FROM:|RCPT TO:|AUTH |BDAT |EHLO |ETRN |ATRN |BURL )?[<>@a\"\\\\ .:,=+*0-9é]{0,30}\
                     (( SIZE| BODY| BY| MT-PRIORITY| HOLDUNTIL| RRVS| MTRK| TRANSID)=[<>0-9:TZ;.+-]{0,40})?",
        ) {
            let _ = Command::parse(&bytes);
            let _ = Command::parse(line.as_bytes());
        }
    }
}
