//! Mails that were delivered several times: a worker may have died with each. Each is worked on alone, so that it takes
//! no other mail along, and counted before its content is read.

use domain::record::FailedReason;

use super::due_mail::DueMail;
use super::hinted::{HintEnd, caught};
use super::run::Run;
use super::wait::{no_time_wait, store_wait};

/// With so many crashes a mail fails.
const CRASHES_MAX: u32 = 5;

impl Run<'_> {
    /// Sends a mail alone.
    pub(super) async fn send_alone(&self, mail: DueMail) -> HintEnd {
        let (id, place) = (mail.id(), mail.place);
        match self.deadlines.before_sending(self.worker.outbox.count_crash(id)).await {
            Ok(Ok(Some(crashes))) if crashes >= CRASHES_MAX => {
                tracing::error!(message.id = %id, crashes, cause = "crashed", "workers died with a message again and again");
                return self.fail(&mail, FailedReason::Crashed).await;
            }
            Ok(Ok(Some(_))) => {}
            Ok(Ok(None)) => return self.decide_again(&mail).await,
            Ok(Err(error)) => return self.come_again(&mail, store_wait(id, &error)).await,
            Err(_) => return self.come_again(&mail, no_time_wait()).await,
        }
        let stream = mail.entry.stream;
        let ended = caught(id, Box::pin(self.send(stream, vec![mail])))
            .await
            .unwrap_or_default();
        let of_mail = ended.into_iter().find(|(of, _)| *of == place);
        let end = of_mail.map_or(HintEnd::Panicked, |(_, end)| end);
        if end != HintEnd::Panicked {
            let reset = self.deadlines.before_answering(self.worker.outbox.reset_crashes(id));
            if let Ok(Err(error)) = reset.await {
                tracing::warn!(message.id = %id, code = error.code, "the crashes of a message still count");
            }
        }
        end
    }
}
