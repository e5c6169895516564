//! The sample events with random damage, from a fixed seed: what `fuzz/run feedback` does for longer, and by coverage.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::cell::Cell;

use domain::feedback::{self, Feedback};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

const SAMPLES: [&str; 5] = [
    include_str!("../../../events/feedback/bounce-event.json"),
    include_str!("../../../events/feedback/bounce-classic.json"),
    include_str!("../../../events/feedback/complaint-event.json"),
    include_str!("../../../events/feedback/complaint-classic.json"),
    include_str!("../../../events/feedback/subscription-event.json"),
];

/// The messages of SES in the samples.
fn messages() -> Vec<String> {
    let message = |sample: &&str| {
        let event: Value = serde_json::from_str(sample).unwrap();
        event["Records"][0]["Sns"]["Message"].as_str().unwrap().to_owned()
    };
    SAMPLES.iter().map(message).collect()
}

/// What is put in the place of a part of a message.
const DAMAGE: [&str; 14] = [
    "",
    "null",
    "[]",
    "{}",
    "\"\"",
    "-1",
    "1e999",
    "\"\\u0000\"",
    "\"a\\nb\"",
    "ü",
    "{\"a\":[[[",
    "\\",
    "\"=?utf-8?B?8J+YgA==?=\"",
    "5.1.1 blocked",
];

/// Replaces `length` characters from a place on.
fn damaged(message: &str, (place, length, damage): (prop::sample::Index, usize, usize)) -> String {
    let characters: Vec<char> = message.chars().collect();
    let start = place.index(characters.len() + 1);
    let end = (start + length).min(characters.len());
    let (before, after) = (&characters[..start], &characters[end..]);
    before
        .iter()
        .copied()
        .chain(DAMAGE[damage].chars())
        .chain(after.iter().copied())
        .collect()
}

#[test]
fn a_damaged_event_is_read_without_a_panic() {
    let messages = messages();
    let received: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    let config = Config {
        cases: 4_000,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let damages = prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, 0..DAMAGE.len()), 1..4);
    let read = Cell::new(0_u32);
    let strategy = (0..messages.len(), damages);
    let outcome = TestRunner::new_with_rng(config, seed).run(&strategy, |(sample, damages)| {
        let message = damages
            .into_iter()
            .fold(messages[sample].clone(), |message, damage| damaged(&message, damage));
        let Ok(Feedback::Event(event)) = feedback::read(&message, received) else {
            return Ok(());
        };
        read.set(read.get() + 1);
        for fact in &event.facts {
            prop_assert!(fact.at <= received, "a register in the future could not be lifted");
        }
        if let Some(message) = &event.message {
            prop_assert!(!message.ses_id.is_empty(), "DynamoDB has no empty keys");
        }
        Ok(())
    });
    outcome.unwrap();
    // Damage that leaves nothing to read would test nothing but the reader of JSON.
    assert!(read.get() > 200, "{} were read", read.get());
}
