//! The HTTP answer when an email was not called back or did not get another time: one exhaustive match over
//! [`NotRecalled`].

use sending::{NotRecalled, Unavailable};

use super::not_sent::refused;
use super::{ApiError, Problem};

impl From<NotRecalled> for ApiError {
    fn from(not_recalled: NotRecalled) -> Self {
        match not_recalled {
            NotRecalled::NotFound => Self::of(Problem::EmailNotFound),
            NotRecalled::TooLate(state) => Self {
                okite_state: Some(state),
                ..Self::with(Problem::NotWaiting, &[("{state}", state.as_str())])
            },
            NotRecalled::Contended => Self::of(Problem::Contended),
            NotRecalled::Unavailable(Unavailable::Store) => Self::of(Problem::StoreDown),
            NotRecalled::Unavailable(Unavailable::StoreRefused) => Self::of(Problem::StoreRefused),
            NotRecalled::Unavailable(Unavailable::Ses(refusal)) => refused(refusal, "", ""),
            NotRecalled::Unknown => Self::of(Problem::RecallUnknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::record::OkiteState;

    use super::*;

    #[test]
    fn the_state_of_an_email_that_does_not_wait_is_in_the_message_and_in_a_field() {
        let error = ApiError::from(NotRecalled::TooLate(OkiteState::Sending));
        assert_eq!((error.status, error.okite_state), (409, Some(OkiteState::Sending)));
        assert!(error.message.contains("`sending`"), "{}", error.message);
    }

    #[test]
    fn a_request_that_may_be_repeated_says_when() {
        for not_recalled in [
            NotRecalled::Contended,
            NotRecalled::Unknown,
            NotRecalled::Unavailable(Unavailable::Store),
        ] {
            assert!(ApiError::from(not_recalled).retry_after.is_some(), "{not_recalled:?}");
        }
    }
}
