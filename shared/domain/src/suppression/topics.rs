//! The choices of a person about topics of bulk mail: the person left a topic, or came back to it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Suppression, SuppressionReason};
use crate::unsubscribe::Topic;

/// The number of topics of which an address keeps the choice. The attribute of an address would otherwise grow with
/// every campaign that names a topic of its own.
pub const TOPICS_KEPT: usize = 20;

/// A choice about one topic. Of two choices, the greater counts: the later one; at the same time, that to leave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicChoice {
    /// The time of the choice.
    pub at: Timestamp,
    /// Whether the person left the topic. Otherwise the person came back to it.
    pub is_unsubscribed: bool,
    /// The source: `link` for the link in a mail, SES's id of an event, or the operator or application that chose.
    pub source: String,
}

/// The choices of one address.
///
/// Like a register, the latest choice about a topic counts, so choices may be recorded twice and in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicChoices {
    /// The latest choice about each topic, of at most [`TOPICS_KEPT`].
    pub by_topic: BTreeMap<Topic, TopicChoice>,
    /// The choice about every topic that `by_topic` does not have. A person who left more topics than are kept has
    /// left all others: nobody who left a topic gets its mail again because there was no room for the choice.
    pub others: Option<TopicChoice>,
}

impl TopicChoices {
    /// Adds a choice, unless a later one about the same topic is there.
    pub fn add(&mut self, topic: Topic, choice: TopicChoice) {
        let kept = self.by_topic.entry(topic).or_insert_with(|| choice.clone());
        if *kept < choice {
            *kept = choice;
        }
    }

    /// Returns these choices with at most [`TOPICS_KEPT`] topics. The topics with the latest choices go, and the person
    /// then counts as having left every topic that is not kept.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        while self.by_topic.len() > TOPICS_KEPT {
            let latest = self.by_topic.iter().max_by_key(|(topic, choice)| (choice.at, *topic));
            let Some(topic) = latest.map(|(topic, _)| topic.clone()) else {
                break;
            };
            if let Some(choice) = self.by_topic.remove(&topic) {
                let left = TopicChoice {
                    is_unsubscribed: true,
                    ..choice
                };
                self.others = self.others.max(Some(left));
            }
        }
        self
    }

    /// Returns the choice by which the person has left the topic, if that is the latest.
    #[must_use]
    pub fn left(&self, topic: &Topic) -> Option<&TopicChoice> {
        let choice = self.by_topic.get(topic).or(self.others.as_ref());
        choice.filter(|choice| choice.is_unsubscribed)
    }

    /// Returns the suppression of mail of a topic.
    #[must_use]
    pub fn suppression(&self, topic: &Topic) -> Option<Suppression> {
        self.left(topic).map(|choice| Suppression {
            reason: SuppressionReason::Unsubscribed,
            since: choice.at,
        })
    }

    /// Returns whether there is no choice.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_topic.is_empty() && self.others.is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topic(text: &str) -> Topic {
        Topic::parse(text).unwrap()
    }

    fn choice(second: i64, is_unsubscribed: bool) -> TopicChoice {
        TopicChoice {
            at: Timestamp::from_second(second).unwrap(),
            is_unsubscribed,
            source: "link".to_owned(),
        }
    }

    fn of<'a>(choices: impl IntoIterator<Item = &'a (String, TopicChoice)>) -> TopicChoices {
        let mut all = TopicChoices::default();
        for (name, choice) in choices {
            all.add(topic(name), choice.clone());
        }
        all
    }

    #[test]
    fn the_latest_choice_about_a_topic_counts_and_about_that_topic_alone() {
        let mut choices = TopicChoices::default();
        assert_eq!(choices.left(&topic("news")), None);
        for (second, is_unsubscribed, left) in [
            (10, true, true),
            (9, false, true),
            (10, false, true),
            (11, false, false),
            (10, true, false),
            (11, true, true),
        ] {
            choices.add(topic("news"), choice(second, is_unsubscribed));
            assert_eq!(
                choices.left(&topic("news")).is_some(),
                left,
                "{second} {is_unsubscribed}"
            );
            assert_eq!(choices.left(&topic("sale")), None);
        }
        let suppression = choices.suppression(&topic("news")).unwrap();
        assert_eq!(
            (suppression.reason, suppression.since),
            (SuppressionReason::Unsubscribed, choice(11, true).at)
        );
    }

    #[test]
    fn somebody_who_leaves_more_topics_than_are_kept_has_left_all_others() {
        let mut choices = TopicChoices::default();
        for number in 0..20 {
            choices.add(topic(&format!("t{number}")), choice(number, number != 3));
        }
        let mut choices = choices.bounded();
        assert_eq!((choices.by_topic.len(), &choices.others), (20, &None));
        choices.add(topic("t20"), choice(20, true));
        let mut choices = choices.bounded();
        assert_eq!(choices.by_topic.len(), 20);
        for left in ["t0", "t19", "t20", "t21", "news"] {
            assert!(choices.left(&topic(left)).is_some(), "{left}");
        }
        assert_eq!(choices.left(&topic("t3")), None, "a kept choice stays");
        choices.add(topic("news"), choice(21, false));
        assert!(choices.bounded().left(&topic("news")).is_some(), "no room for it");
    }

    fn any_choices() -> impl Strategy<Value = Vec<(String, TopicChoice)>> {
        prop::collection::vec(
            (
                "[a-c]",
                (0i64..5, any::<bool>()).prop_map(|(at, left)| choice(at, left)),
            ),
            0..8,
        )
    }

    proptest! {
        #[test]
        fn neither_order_nor_repetition_matters(one in any_choices(), other in any_choices()) {
            let all = of(one.iter().chain(&other));
            prop_assert_eq!(&of(other.iter().chain(&one).chain(&other)), &all);
        }

        /// A choice to leave is never lost to the bound.
        #[test]
        fn whoever_has_left_a_topic_has_left_it_in_the_bounded_choices(
            names in prop::collection::btree_map("[a-z]{2}", (0i64..9, any::<bool>()), 0..40),
        ) {
            let choices: Vec<_> = names.into_iter().map(|(name, (at, left))| (name, choice(at, left))).collect();
            let all = of(&choices);
            let bounded = all.clone().bounded();
            prop_assert!(bounded.by_topic.len() <= TOPICS_KEPT);
            let left = all.by_topic.iter().filter(|(_, choice)| choice.is_unsubscribed);
            for (topic, _) in left {
                prop_assert!(bounded.left(topic).is_some(), "{}", topic);
            }
        }
    }
}
