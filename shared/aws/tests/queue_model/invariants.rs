//! The rules that every history must keep.

use std::collections::BTreeMap;

use domain::record::{MessageRecord, SenderState};
use uuid::Uuid;

use crate::store::Mail;
use crate::world::{Answer, State};

/// Returns the first promise that a history has broken.
pub(crate) fn broken(state: &State, is_settled: bool) -> Option<String> {
    let of_mails = state.store.mails.iter().find_map(|mail| {
        let taken = state.taken.iter().filter(|taken| taken.id == mail.id).count();
        mail_broken(state, mail, taken).map(|promise| format!("{promise}: {mail:?}"))
    });
    let of_answers = || {
        let mut answers = state.answers.iter();
        answers.find_map(|answer| Some(format!("{}: {answer:?}", answer_broken(state, *answer)?)))
    };
    let stuck = || (!is_settled).then(|| "something is stuck".to_owned());
    of_mails
        .or_else(of_answers)
        .or_else(stuck)
        .or_else(|| keys_broken(state).map(str::to_owned))
}

fn mail_broken(state: &State, mail: &Mail, taken: usize) -> Option<&'static str> {
    if taken > 1 {
        return Some("a mail is sent twice");
    }
    if mail.entry.is_some() {
        return Some("a mail never settles");
    }
    if mail.named.iter().any(|named| mail.contents.contains(named)) {
        return Some("a content is left");
    }
    let row = mail.row.as_ref()?;
    let has_queued = row.queued.is_some();
    match row.written {
        SenderState::Queued => Some("a mail waits for ever"),
        SenderState::Sending if has_queued && row.ses_id.is_none() => Some("a mail is being sent for ever"),
        SenderState::Failed | SenderState::Canceled | SenderState::Suppressed | SenderState::Refused if taken > 0 => {
            Some("a mail is sent that was said not to be")
        }
        SenderState::Failed | SenderState::Suppressed if has_queued && !state.reported.contains(&mail.id) => {
            Some("the end of a mail is not reported")
        }
        _ => None,
    }
}

fn answer_broken(state: &State, answer: Answer) -> Option<&'static str> {
    let taken = |id: Uuid| state.taken.iter().filter(|taken| taken.id == id).count();
    let row = |id: Uuid| -> Option<&MessageRecord> { state.store.row(id) };
    match answer {
        Answer::Accepted(id) => {
            let Some(row) = row(id) else {
                return Some("an accepted mail has no record");
            };
            let is_open = matches!(row.written, SenderState::Sending | SenderState::Refused);
            (row.queued.is_none() && is_open && taken(id) == 0).then_some("an accepted mail is not sent")
        }
        Answer::Cancelled(id) => {
            let is_cancelled = row(id).is_some_and(|row| row.written == SenderState::Canceled);
            (!is_cancelled || taken(id) > 0).then_some("a cancelled mail is not cancelled")
        }
        Answer::Unknown(_) | Answer::InFlight | Answer::NotSent => None,
    }
}

/// Looks at all mails of one use of the key together.
fn keys_broken(state: &State) -> Option<&'static str> {
    let (mut taken, mut accepted) = (BTreeMap::new(), BTreeMap::new());
    let use_of = |id: Uuid| state.store.mail(id).map(|mail| mail.generation);
    for mail in &state.taken {
        *taken.entry(use_of(mail.id)).or_insert(0) += 1;
    }
    if taken.values().any(|count| *count > 1) {
        return Some("two mails are sent under one key");
    }
    // A mail to nobody binds no key: the write that says so may have had no answer, and then its request frees the key.
    let is_to_nobody = |id: Uuid| {
        let row = state.store.row(id);
        row.is_some_and(|row| row.written == SenderState::Suppressed && row.queued.is_none())
    };
    for answer in &state.answers {
        if let Answer::Accepted(id) = answer
            && !is_to_nobody(*id)
            && accepted.insert(use_of(*id), id).is_some_and(|other| other != id)
        {
            return Some("two mails are accepted under one key");
        }
    }
    let of_requests = state.answers.iter().filter(|answer| **answer == Answer::NotSent);
    (of_requests.count() == state.requests && !state.taken.is_empty())
        .then_some("a mail is sent although every request was told that nothing was")
}
