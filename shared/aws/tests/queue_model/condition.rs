//! The conditions of the protocol's writes, each with a name, so that one can be taken away.

use self::Loss::{Harmless, Often, Once, Seldom};

/// The consequence of a condition that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// A history breaks a promise, and it is found soon.
    Often,
    /// A history breaks a promise, and it takes up to some 250,000 to find one.
    Seldom,
    /// A history of an earlier mix broke a promise (the 8,314th), and none of 250,000 of the present one did.
    Once,
    /// No history is found that breaks a promise, for this reason.
    Harmless(&'static str),
}

macro_rules! conditions {
    ($($name:ident = $words:literal, $loss:expr,)*) => {
        /// A condition of a write.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Condition {
            $($name,)*
        }

        impl Condition {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the write and the condition, as the adapter has it.
            pub(crate) fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }

            pub(crate) fn loss(self) -> Loss {
                match self {
                    $(Self::$name => $loss,)*
                }
            }
        }
    };
}

conditions! {
    PutNoRow = "put, first attempt: attribute_not_exists(id)", Often,
    PutAttempt = "put, later attempt: attempt = :before",
        Harmless("a refused row keeps its attempt until the next one; a late write could only make a mail unknown"),
    PutState = "put, later attempt: state = refused",
        Harmless("the row was read as refused, and it keeps its attempt only as long as it is refused"),
    PutUnsent = "put, later attempt: attribute_not_exists(ses_id)",
        Harmless("for defence: SES would have to take a mail that it refused"),
    AcceptNoRow = "accept, first attempt: attribute_not_exists(id)", Often,
    AcceptAttempt = "accept, later attempt: attempt = :before", Often,
    AcceptState = "accept, later attempt: state = refused",
        Harmless("the row was read as refused, and it keeps its attempt only as long as it is refused"),
    AcceptUnsent = "accept, later attempt: attribute_not_exists(ses_id)",
        Harmless("for defence: SES would have to take a mail that it refused"),
    NoRowNoRow = "refused_without_row, first attempt: attribute_not_exists(id)", Seldom,
    NoRowAttempt = "refused_without_row, later attempt: attempt = :before",
        Harmless("a refused row of another attempt says the same of the mail"),
    NoRowState = "refused_without_row, later attempt: state = refused",
        Harmless("the row was read as refused, and it keeps its attempt only as long as it is refused"),
    NoRowUnsent = "refused_without_row, later attempt: attribute_not_exists(ses_id)",
        Harmless("for defence: SES would have to take a mail that it refused"),
    NoRowOwnState = "refused_without_row, own row: state = sending", Seldom,
    NoRowOwnNonce = "refused_without_row, own row: nonce = :nonce", Seldom,
    BeginState = "begin_attempt: state = :from", Often,
    BeginAttempt = "begin_attempt: attempt = :seen", Often,
    BeginContent = "begin_attempt: content_nonce = :seen", Often,
    BeginNonce = "begin_attempt, released: nonce = :seen",
        Harmless("each attempt has a number and a nonce of its own, and the number is a condition too"),
    BeginDeadline = "begin_attempt: deadline > :now", Seldom,
    BeginUnsent = "begin_attempt: attribute_not_exists(ses_id)",
        Harmless("for defence: SES would have to take a mail that it refused"),
    SuppressState = "suppress: state = :from", Often,
    SuppressAttempt = "suppress: attempt = :seen",
        Harmless("nobody is left to send to, whatever the time"),
    SuppressContent = "suppress: content_nonce = :seen", Seldom,
    SuppressNonce = "suppress, released: nonce = :seen",
        Harmless("each attempt has a number and a nonce of its own, and the number is a condition too"),
    SuppressDeadline = "suppress: deadline > :now",
        Harmless("the mail then says that nobody was left instead of that it expired"),
    SuppressUnsent = "suppress: attribute_not_exists(ses_id)",
        Harmless("for defence: SES would have to take a mail that it refused"),
    RequeueState = "requeue: state = sending", Often,
    RequeueNonce = "requeue: nonce = :own", Often,
    ExpireState = "expire: state = queued", Often,
    ExpireDeadline = "expire: deadline <= :now", Seldom,
    FailState = "fail: state = :from", Often,
    FailAttempt = "fail: attempt = :seen",
        Harmless("what makes a mail fail before its attempt does so at any time"),
    FailContent = "fail: content_nonce = :seen", Seldom,
    FailNonce = "fail, released: nonce = :seen",
        Harmless("each attempt has a number and a nonce of its own, and the number is a condition too"),
    FailAttemptState = "fail_attempt: state = sending",
        Harmless("a row that has left `sending` and keeps the nonce is one that its own worker has put back"),
    FailAttemptNonce = "fail_attempt: nonce = :own", Once,
    GiveUpState = "give_up: state = sending",
        Harmless("a worker that reads `sending` an hour after the lease finds a mail that no other worker sends"),
    GiveUpNonce = "give_up: nonce = :seen",
        Harmless("the row then says `unknown` while another attempt runs, and the answer of that attempt still settles it"),
    RefusedState = "refused: state = sending",
        Harmless("a request's row keeps its nonce and leaves `sending` by that request alone"),
    RefusedAttempt = "refused: attempt = :own", Seldom,
    RefusedNonce = "refused: nonce = :own",
        Harmless("each attempt has a number and a nonce of its own, and the number is a condition too"),
    RefusedUnsent = "refused: attribute_not_exists(ses_id)",
        Harmless("for defence: SES would have to take a mail that it refused"),
    CancelState = "cancel: state = queued", Often,
    CancelContent = "cancel: content_nonce = :seen", Often,
    CancelEntry = "cancel, large: the entry is there",
        Harmless("row and entry change together, and the row's state is a condition too"),
    RescheduleState = "reschedule: state = queued", Often,
    RescheduleAttempt = "reschedule: attempt = :seen", Often,
    RescheduleDeadline = "reschedule: deadline > :now",
        Harmless("a promise to the caller of an answer in time; the mail is not lost without it"),
    RescheduleEntry = "reschedule: the entry is there",
        Harmless("row and entry change together, and the row's state is a condition too"),
    RescheduleMessage = "reschedule, claim: message_id = :seen",
        Harmless("another request's claim would only be remembered longer"),
    RescheduleExpires = "reschedule, claim: expires < :expires",
        Harmless("its writer has read the claim, which seldom grows in between"),
    SwitchState = "switch_content: state = queued", Often,
    SwitchContent = "switch_content: content_nonce = :from", Often,
    SwitchEntry = "switch_content: the entry is there",
        Harmless("row and entry change together, and the row's state is a condition too"),
    WakeSeen = "wake_again: wake_at = :seen",
        Harmless("a mail would be looked at too early or too late, and it settles all the same"),
    TakeNoClaim = "take: attribute_not_exists(id)", Often,
    TakeOverNonce = "take_over: nonce = :seen",
        Harmless("the row lets one of two requests send; the other one is in flight"),
    TakeOverExpires = "take_over: expires = :seen",
        Harmless("its writer has read the claim, which seldom grows in between"),
    ReplaceNonce = "replace: nonce = :seen",
        Harmless("who takes a key over lets it be remembered longer, which the other condition sees"),
    ReplaceExpires = "replace: expires = :seen", Seldom,
    RememberNonce = "remember: nonce = :seen",
        Harmless("the key would only be remembered longer"),
    RememberExpires = "remember: expires < :expires", Seldom,
    ReleaseNonce = "release: nonce = :own",
        Harmless("the row lets one of two requests send; the other one is in flight"),
    FreeNonce = "free: nonce = :own", Often,
}
