//! Sends a mail once, however often an SDK repeats its request.
//!
//! An SDK repeats a request whose answer is lost, and repeats no 409. So a request whose mail is being sent by an
//! earlier one waits for the end of that one, and so does a request that finds that it is unknown whether the mail was
//! sent: an event of SES may settle it. Only then is the caller told to come again.

use std::time::Duration;

use domain::address::LocalSenders;
use domain::api_key::ApiKeyRecord;
use domain::idempotency::{RequestBody, nth_id};
use domain::message::{Mail, MailContent, TrackingEvents};
use domain::queue::WhenBusy;
use domain::recipient::OnSuppressed;
use domain::record::RecordedRecipient;
use front::linked;
use sending::{Ids, NotSent, Origin, Patience, Receipt, Submission};
use tokio::time::sleep;
use uuid::Uuid;

use super::Call;
use crate::answer::ApiAnswer;
use crate::fault::{ApiFault, FaultKind};
use crate::repeat::RepeatKey;
use crate::request::ApiRequest;
use crate::send::{SendMail, address_fault};

/// How long a request waits for the end of an earlier one, from when it arrived.
const WAITS_FOR: Duration = Duration::from_secs(20);
/// The first and the longest pause before the earlier request is looked at again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// The time that looking at the earlier request again takes at most, as a rule. What is left after it is for sending.
const LOOKING: Duration = Duration::from_secs(1);
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
        check_tracking(&mail, self.state.sending.ses.tracking_events())?;
        check_local_senders(&mail, self.state.local_senders)?;
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
        let mail = &self.with_topic(mail.clone()).await?;
        let (mut round, mut unknown) = (0, None);
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
            let pause = pause_before_another(round, self.deadlines.elapsed(), self.deadlines.left_to_send());
            let Some(pause) = pause.filter(|_| waits) else {
                let domain = mail.sender().address().domain();
                // Until its lease is over, the attempt of this very request looks as if it were at work.
                let not_sent = unknown.filter(|_| waits).unwrap_or(not_sent);
                return Err(ApiFault::not_sent(&not_sent, domain, &self.state.region));
            };
            sleep(pause).await;
            round += 1;
        }
    }
}

impl Call<'_> {
    /// Gives a mail the topic of its API key, and a simple one to one recipient the unsubscribe link of the recipient.
    /// The bytes of a raw mail stay: another header would break a signature over them.
    async fn with_topic(&self, mail: Mail) -> Result<Mail, ApiFault> {
        let key_topic = self.api_key.topic.as_ref();
        let Mail {
            content,
            options,
            topic: _,
        } = mail;
        let email = match content {
            MailContent::Simple(email) => *email,
            MailContent::Raw(_) => {
                return Ok(Mail {
                    content,
                    options,
                    topic: key_topic.cloned(),
                });
            }
        };
        let links = if key_topic.is_some() {
            let links = self.state.links.links(&self.request.api, self.deadlines.arrived);
            let links = self.deadlines.before_sending(links).await;
            let links = links.map_err(|error| self.not_linked(&error.into()))?;
            Some(links.map_err(|error| self.not_linked(&error.into()))?)
        } else {
            None
        };
        let linked = linked(email, None, key_topic, links.as_ref());
        let linked = linked.map_err(|error| ApiFault::invalid(error.to_string()))?;
        Ok(Mail {
            content: MailContent::Simple(Box::new(linked.email)),
            options,
            topic: linked.topic,
        })
    }

    fn not_linked(&self, not_sent: &NotSent) -> ApiFault {
        ApiFault::not_sent(not_sent, "", &self.state.region)
    }
}

/// Returns how long to pause before the earlier request is looked at again, after `round` such pauses. Returns nothing
/// if a mail could not be sent in time afterwards: the answer would then be that no time is left, in place of what is
/// known.
fn pause_before_another(round: usize, elapsed: Duration, left_to_send: Duration) -> Option<Duration> {
    let doubled = u32::try_from(round).ok().and_then(|round| 2_u32.checked_pow(round));
    let pause = PAUSES.0.saturating_mul(doubled.unwrap_or(u32::MAX)).min(PAUSES.1);
    let fits = elapsed.saturating_add(pause) <= WAITS_FOR && pause.saturating_add(LOOKING) <= left_to_send;
    fits.then_some(pause)
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

/// Refuses a mail that names a sender at a machine's name, unless the deployment accepts such senders.
fn check_local_senders(mail: &Mail, local_senders: LocalSenders) -> Result<(), ApiFault> {
    let mut checked = mail.senders().map(|sender| local_senders.check(sender));
    checked.try_for_each(|sender| sender.map_err(|error| address_fault("From", error)))
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

/// Refuses a mail that is to be tracked, unless this deployment tracks mail.
fn check_tracking(mail: &Mail, events: TrackingEvents) -> Result<(), ApiFault> {
    let checked = events.check(mail.options.tracking);
    checked.map_err(|not_tracked| ApiFault::invalid(format!("ConfigurationOverrides.Tracking: {not_tracked}.")))
}

/// Returns the choice of the request, or else that of its API key.
fn when_busy(request: &ApiRequest, api_key: &ApiKeyRecord) -> Result<WhenBusy, ApiFault> {
    match request.header("okite-when-busy").as_deref() {
        None => Ok(api_key.when_busy),
        Some(QUEUE_UNLESS_REFUSED) if api_key.when_busy == WhenBusy::Refuse => Ok(WhenBusy::Refuse),
        Some(QUEUE_UNLESS_REFUSED) => Ok(WhenBusy::Queue),
        Some(choice) => WhenBusy::parse(choice)
            .ok_or_else(|| ApiFault::invalid("The header okite-when-busy must be queue, wait or refuse.")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::api_key::KeyPermission;
    use domain::stream::Stream;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use jiff::Timestamp;

    use super::*;

    fn choice(of_key: WhenBusy, header: Option<&'static str>) -> Result<WhenBusy, ApiFault> {
        let api_key = ApiKeyRecord {
            id: "1".to_owned(),
            secret_sha256: String::new(),
            secret_access_key: None,
            name: String::new(),
            permission: KeyPermission::Sending,
            stream: Stream::Transactional,
            from_domains: Vec::new(),
            when_busy: of_key,
            topic: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let name = HeaderName::from_static("okite-when-busy");
        let header = header.map(|text| (name, HeaderValue::from_static(text)));
        let request = ApiRequest {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: HeaderMap::from_iter(header),
            body: Vec::new(),
            api: String::new(),
        };
        when_busy(&request, &api_key)
    }

    #[test]
    fn the_header_goes_before_the_key_and_a_wary_header_does_not() {
        for of_key in WhenBusy::ALL {
            assert_eq!(choice(of_key, None), Ok(of_key));
            for given in WhenBusy::ALL {
                assert_eq!(choice(of_key, Some(given.as_str())), Ok(given));
            }
            for unknown in ["", "later", "Queue"] {
                assert_eq!(choice(of_key, Some(unknown)).unwrap_err().kind, FaultKind::Invalid);
            }
        }
        for (of_key, chosen) in [
            (WhenBusy::Queue, WhenBusy::Queue),
            (WhenBusy::Wait, WhenBusy::Queue),
            (WhenBusy::Refuse, WhenBusy::Refuse),
        ] {
            assert_eq!(choice(of_key, Some(QUEUE_UNLESS_REFUSED)), Ok(chosen), "{of_key:?}");
        }
    }

    #[test]
    fn a_request_that_asks_again_has_ids_of_its_own() {
        let ids = Ids {
            message: Uuid::from_u128(1 << 100),
            nonce: Uuid::max(),
        };
        let rounds = 200;
        let all: Vec<Ids> = (0..rounds).map(|round| nth_ids(ids, round)).collect();
        assert_eq!((all[0].message, all[0].nonce), (ids.message, ids.nonce));
        let messages: BTreeSet<Uuid> = all.iter().map(|ids| ids.message).collect();
        let nonces: BTreeSet<Uuid> = all.iter().map(|ids| ids.nonce).collect();
        assert_eq!((messages.len(), nonces.len()), (rounds, rounds));
    }

    #[test]
    fn pauses_grow_until_a_mail_could_not_be_sent_in_time() {
        let pause = |round, elapsed, left| {
            let [elapsed, left] = [elapsed, left].map(Duration::from_secs);
            pause_before_another(round, elapsed, left).map(|pause| pause.as_millis())
        };
        assert_eq!(
            [0, 1, 2, 3, 4, 1_000].map(|round| pause(round, 0, 16)),
            [250, 500, 1_000, 2_000, 2_000, 2_000].map(Some)
        );
        assert_eq!([pause(9, 13, 3), pause(9, 14, 2)], [Some(2_000), None]);
        assert_eq!([pause(9, 18, 9), pause(9, 19, 9)], [Some(2_000), None]);
    }
}
