//! Sends a mail once, however often an SDK repeats its request.
//!
//! An SDK repeats a request whose answer is lost, and repeats no 409. So a request whose mail is being sent by an
//! earlier one waits for the end of that one, and so does a request that finds that it is unknown whether the mail was
//! sent: an event of SES may settle it. Only then is the caller told to come again.

use std::time::Duration;

use domain::api_key::ApiKeyRecord;
use domain::idempotency::{RequestBody, nth_id};
use domain::message::Mail;
use domain::queue::WhenBusy;
use domain::recipient::OnSuppressed;
use domain::record::RecordedRecipient;
use sending::{Ids, NotSent, Origin, Patience, Receipt, Submission};
use tokio::time::sleep;
use uuid::Uuid;

use super::Call;
use crate::answer::ApiAnswer;
use crate::fault::{ApiFault, FaultKind};
use crate::repeat::RepeatKey;
use crate::request::ApiRequest;
use crate::send::SendMail;

/// How long a request waits for the end of an earlier one, from when it arrived.
const WAITS_FOR: Duration = Duration::from_secs(20);
/// The first and the longest pause before the earlier request is looked at again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// The choice of callers that keep no mail themselves and cannot wait long: the mail waits in the queue, unless the API
/// key refuses that.
const QUEUE_UNLESS_REFUSED: &str = "queue-unless-refused";

impl Call<'_> {
    /// Sends a mail, and answers by `answer` with SES's id of it; with Okite's, where SES has none.
    pub(super) async fn sent(
        &self,
        mail: SendMail,
        answer: impl FnOnce(&str) -> ApiAnswer,
    ) -> Result<ApiAnswer, ApiFault> {
        mail.check_configuration_set(&self.state.configuration_set)?;
        let SendMail { mail, .. } = mail;
        check_senders(&mail, self.api_key)?;
        let when_busy = when_busy(self.request, self.api_key)?;
        let repeat = RepeatKey::read(&self.request.headers)?;
        let receipt = self.submit(&mail, when_busy, repeat.as_ref()).await?;
        let is_suppressed = |recipient: &&RecordedRecipient| recipient.status == SUPPRESSED;
        let suppressed = receipt.recipients.iter().filter(is_suppressed).count();
        let message_id = receipt.ses_id.unwrap_or_else(|| receipt.id.to_string());
        Ok(answer(&message_id)
            .with_okite_id(receipt.id)
            .with_suppressed(suppressed))
    }

    async fn submit(&self, mail: &Mail, when_busy: WhenBusy, repeat: Option<&RepeatKey>) -> Result<Receipt, ApiFault> {
        let key = repeat.map(|repeat| {
            let mut body = RequestBody::default();
            body.add_mail(mail);
            repeat.request_key(&self.api_key.id, body)
        });
        let (mut pause, mut round, mut unknown) = (PAUSES.0, 0, None);
        loop {
            let submission = Submission {
                place: 0,
                mail: mail.clone(),
                on_suppressed: OnSuppressed::Skip,
                when_busy,
                scheduled_at: None,
                deadline: None,
                is_too_late: false,
            };
            let origin = Origin {
                key_id: &self.api_key.id,
                stream: self.api_key.stream,
                key: key.clone(),
                emails: 1,
                patience: Patience::Within(self.state.sending.rules.wait),
                ids: nth_ids(self.ids, round),
            };
            let submitted = Box::pin(self.state.sending.submit(submission, &origin, self.deadlines)).await;
            let not_sent = match submitted {
                Ok(receipt) => return Ok(receipt),
                Err(not_sent) => not_sent,
            };
            let waits = key.is_some()
                && matches!(
                    not_sent,
                    NotSent::InFlight { .. } | NotSent::Unknown { .. } | NotSent::StillUnknown { .. }
                );
            if matches!(not_sent, NotSent::Unknown { .. }) {
                unknown = Some(not_sent.clone());
            }
            // A request that asks again later than that could not send any more, even if the earlier one sent nothing.
            let has_time = self.deadlines.elapsed() + pause < WAITS_FOR && self.deadlines.left_to_send() > pause * 2;
            if !waits || !has_time {
                let domain = mail.sender().address().domain();
                // Until its lease is over, the attempt of this very request looks as if it were at work.
                let not_sent = unknown.unwrap_or(not_sent);
                return Err(ApiFault::not_sent(not_sent, domain, &self.state.region));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
            round += 1;
        }
    }
}

/// The status of a recipient that was left out, as records name it.
const SUPPRESSED: &str = "suppressed";

/// Returns the ids of a request that asks again. Its writes must not be taken for those of the first time, which may be
/// at work still.
fn nth_ids(ids: Ids, round: usize) -> Ids {
    let random = u128::try_from(round).unwrap_or_default() << 32;
    Ids {
        message: nth_id(ids.message, round),
        nonce: Uuid::from_u128(ids.nonce.as_u128() ^ random),
    }
}

/// Refuses a mail that names a sender from which the API key may not send.
fn check_senders(mail: &Mail, api_key: &ApiKeyRecord) -> Result<(), ApiFault> {
    if mail.senders().all(|sender| api_key.may_send_from(sender)) {
        return Ok(());
    }
    Err(ApiFault::new(
        FaultKind::AccessDenied,
        format!(
            "The API key may not send from every sender of this mail. It may send from: {}. The addresses of From, \
             Sender, Return-Path and the request itself all count.",
            api_key.from_domains.join(", ")
        ),
    ))
}

/// Returns the choice of the request, or else that of its API key.
fn when_busy(request: &ApiRequest, api_key: &ApiKeyRecord) -> Result<WhenBusy, ApiFault> {
    match request.header("okite-when-busy").as_deref() {
        None => Ok(api_key.when_busy),
        Some(QUEUE_UNLESS_REFUSED) if api_key.when_busy == WhenBusy::Refuse => Ok(WhenBusy::Refuse),
        Some(QUEUE_UNLESS_REFUSED) => Ok(WhenBusy::Queue),
        Some(choice) => WhenBusy::parse(choice).ok_or_else(|| {
            ApiFault::invalid("The header okite-when-busy must be queue, wait, refuse or queue-unless-refused.")
        }),
    }
}
