//! Every message is read without a panic, and the result keeps its invariants. The seeds are the messages in
//! events/feedback; `fuzz/run` extracts them and starts.

#![no_main]

use domain::feedback::{self, Feedback};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &str| {
    let received = Timestamp::from_second(1_800_000_000).expect("a time");
    let Ok(Feedback::Event(event)) = feedback::read(message, received) else {
        return;
    };
    for fact in &event.facts {
        assert!(fact.at <= received, "a register in the future could not be lifted");
        let diagnostic = fact.diagnostic.as_deref().unwrap_or_default();
        assert!(diagnostic.chars().count() <= 1_000);
    }
    for mark in &event.marks {
        assert!(!mark.domain.is_empty() && mark.at <= received);
    }
    if let Some(message) = &event.message {
        assert!(!message.ses_id.is_empty(), "DynamoDB has no empty keys");
        assert!(message.recipients.is_sorted() && message.at <= received);
    }
});
