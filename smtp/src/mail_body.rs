//! The body of a request with a mail: the JSON of `SendEmail`. The mail is encoded piece by piece while it is sent, so
//! that a mail is not in memory a second time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::address::EmailAddress;
use hyper::body::{Body, Frame, SizeHint};
use serde_json::json;

/// The bytes of a mail in a piece. A multiple of three, so that the pieces of base64 join without padding.
const PIECE: usize = 48 * 1024;

/// The body of a request.
#[derive(Clone, Default)]
pub(crate) struct MailBody {
    head: Bytes,
    mail: Bytes,
    tail: Bytes,
}

impl MailBody {
    /// Makes the body of a mail to a group of recipients.
    ///
    /// The body names no sender: the one of the mail's own `From` counts.
    pub(crate) fn new(mail: &Bytes, recipients: &[EmailAddress]) -> Self {
        let to: Vec<&str> = recipients.iter().map(EmailAddress::as_wire).collect();
        let head = format!(
            r#"{{"Destination":{},"Content":{{"Raw":{{"Data":""#,
            json!({ "ToAddresses": to })
        );
        Self {
            head: head.into(),
            mail: mail.clone(),
            tail: Bytes::from_static(br#""}}}"#),
        }
    }

    /// Makes the body of a request without one.
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    fn bytes(&self) -> u64 {
        let encoded = base64::encoded_len(self.mail.len(), true).unwrap_or(usize::MAX);
        (self.head.len() + encoded + self.tail.len()) as u64
    }
}

impl Body for MailBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let piece = if !this.head.is_empty() {
            std::mem::take(&mut this.head)
        } else if !this.mail.is_empty() {
            let piece = this.mail.split_to(this.mail.len().min(PIECE));
            STANDARD.encode(piece).into()
        } else {
            std::mem::take(&mut this.tail)
        };
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn written(body: MailBody) -> Bytes {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(body.collect()).unwrap().to_bytes()
    }

    #[test]
    fn is_the_json_of_ses() {
        let recipients = [EmailAddress::parse("b@example.net").unwrap()];
        let body = written(MailBody::new(&Bytes::from_static(b"From: a"), &recipients));
        assert_eq!(
            String::from_utf8_lossy(&body),
            r#"{"Destination":{"ToAddresses":["b@example.net"]},"Content":{"Raw":{"Data":"RnJvbTogYQ=="}}}"#
        );
        assert!(MailBody::empty().is_end_stream());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_mail_arrives_whole(mail in prop::collection::vec(any::<u8>(), 0..100), times in 0_usize..2_000) {
            let mail = Bytes::from(mail.repeat(times));
            let body = MailBody::new(&mail, &[]);
            let expected = body.size_hint().exact();
            let written = written(body);
            prop_assert_eq!(expected, Some(written.len() as u64));
            let json: Value = serde_json::from_slice(&written).unwrap();
            let data = json["Content"]["Raw"]["Data"].as_str().unwrap();
            prop_assert_eq!(STANDARD.decode(data).unwrap(), mail);
        }
    }
}
