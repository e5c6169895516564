//! The choices of an address about topics: a set beside its registers, of which one choice a topic stays.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use uuid::Uuid;

use super::Suppressions;
use super::key::key_of;
use super::log::log_unreadable;
use crate::StoreError;
use crate::dynamodb::condition::{Written, written};
use crate::dynamodb::item::{Item, s, time_in, uuid_of};
use domain::address::EmailAddress;
use domain::suppression::{TopicChoice, TopicChoices};
use domain::time::{clamped, in_milliseconds};
use domain::unsubscribe::Topic;

/// The attribute.
pub(super) const TOPICS: &str = "topics";
/// Stands for the topics that are not kept. No topic has this name.
const OTHERS: &str = "*";
const LEFT: &str = "unsubscribed";
const CAME_BACK: &str = "resubscribed";

/// The consequence of recording a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChoiceRecorded {
    /// The id of the entry.
    pub id: Uuid,
    /// Whether the choice changed anything: the first one to leave, or to come back. Every copy of the choice is
    /// answered so until a later one is recorded.
    pub is_new: bool,
    /// Whether the person has left the topic now, by this choice or by a later one.
    pub has_left: bool,
}

impl Suppressions {
    /// Records a choice about a topic. May be repeated and reordered at will.
    ///
    /// `new_id` becomes the id of the item if the address has none yet.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn record_choice(
        &self,
        address: &EmailAddress,
        topic: &Topic,
        choice: &TopicChoice,
        new_id: Uuid,
    ) -> Result<ChoiceRecorded, StoreError> {
        let choice = TopicChoice {
            // The table keeps milliseconds.
            at: in_milliseconds(clamped(choice.at)),
            ..choice.clone()
        };
        let ours = as_text(topic.as_str(), &choice);
        let updated = self
            .entry_update(address, new_id, " ADD #topics :choice")
            .expression_attribute_names("#topics", TOPICS)
            .expression_attribute_values(":choice", AttributeValue::Ss(vec![ours.clone()]))
            .condition_expression("attribute_not_exists(#topics) OR attribute_type(#topics, :string_set)")
            .expression_attribute_values(":string_set", s("SS"))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let Written::Done(updated) = written(updated)? else {
            // The entry holds something else there, and so it suppresses the address for all mail already.
            log_unreadable(&key_of(address));
            return Ok(ChoiceRecorded {
                id: new_id,
                is_new: false,
                has_left: true,
            });
        };
        let item = updated.attributes.unwrap_or_default();
        let before = read_all(texts(&item).filter(|text| **text != ours)).bounded();
        let all = read_all(texts(&item));
        let kept = all.clone().bounded();
        self.keep(address, &item, &all, &kept).await?;
        let has_left = kept.left(topic).is_some();
        Ok(ChoiceRecorded {
            id: uuid_of(&item, "id").unwrap_or(new_id),
            is_new: before.left(topic).is_some() != has_left,
            has_left,
        })
    }

    /// Records that the person has left every topic that is not kept.
    ///
    /// # Errors
    /// [`StoreError`] if it may not have been written.
    pub async fn record_others_left(
        &self,
        address: &EmailAddress,
        choice: &TopicChoice,
        new_id: Uuid,
    ) -> Result<(), StoreError> {
        self.entry_update(address, new_id, " ADD #topics :choice")
            .expression_attribute_names("#topics", TOPICS)
            .expression_attribute_values(":choice", AttributeValue::Ss(vec![as_text(OTHERS, &left(choice))]))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::of("UpdateItem"))
    }

    /// Removes the choices that no longer count. If there are too many topics, it first records that the person has
    /// left all others, so that a crash in between loses no choice.
    async fn keep(
        &self,
        address: &EmailAddress,
        item: &Item,
        all: &TopicChoices,
        kept: &TopicChoices,
    ) -> Result<(), StoreError> {
        if kept.others != all.others
            && let Some(others) = &kept.others
        {
            self.record_others_left(address, others, Uuid::nil()).await?;
        }
        let kept = as_texts(kept);
        let beyond: Vec<String> = texts(item).filter(|text| !kept.contains(text)).cloned().collect();
        if beyond.is_empty() {
            return Ok(());
        }
        self.remove_from_set(address, TOPICS, AttributeValue::Ss(beyond)).await
    }
}

/// Reads the choices of an item. Values of another form are left out.
pub(super) fn choices(item: &Item) -> TopicChoices {
    read_all(texts(item)).bounded()
}

/// Returns whether a text is a choice as it stands in the set.
pub(super) fn is_choice(text: &str) -> bool {
    read(text).is_some()
}

fn texts(item: &Item) -> impl Iterator<Item = &String> {
    item.get(TOPICS)
        .and_then(|value| value.as_ss().ok())
        .into_iter()
        .flatten()
}

fn read_all<'a>(texts: impl Iterator<Item = &'a String>) -> TopicChoices {
    let mut choices = TopicChoices::default();
    for (topic, choice) in texts.filter_map(|text| read(text)) {
        match topic {
            Some(topic) => choices.add(topic, choice),
            None => choices.others = choices.others.max(Some(choice)),
        }
    }
    choices
}

/// Reads a choice. One about the topics that are not kept has no topic.
fn read(text: &str) -> Option<(Option<Topic>, TopicChoice)> {
    let mut parts = text.splitn(4, '#');
    let (topic, choice, at, source) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let topic = match topic {
        OTHERS => None,
        topic => Some(Topic::parse(topic).ok()?),
    };
    let is_unsubscribed = match choice {
        LEFT => true,
        CAME_BACK => false,
        _ => return None,
    };
    let choice = TopicChoice {
        at: time_in(at.parse().ok()?)?,
        is_unsubscribed,
        source: source.to_owned(),
    };
    Some((topic, choice))
}

fn as_text(topic: &str, choice: &TopicChoice) -> String {
    let name = if choice.is_unsubscribed { LEFT } else { CAME_BACK };
    format!(
        "{topic}#{name}#{}#{}",
        clamped(choice.at).as_millisecond(),
        choice.source
    )
}

/// Returns the choice as one to leave: nobody comes back to topics that are not named.
fn left(choice: &TopicChoice) -> TopicChoice {
    TopicChoice {
        is_unsubscribed: true,
        ..choice.clone()
    }
}

fn as_texts(choices: &TopicChoices) -> Vec<String> {
    let by_topic = choices.by_topic.iter();
    let by_topic = by_topic.map(|(topic, choice)| as_text(topic.as_str(), choice));
    by_topic
        .chain(choices.others.iter().map(|choice| as_text(OTHERS, choice)))
        .collect()
}
