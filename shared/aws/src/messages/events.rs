//! The events of SES about messages: one small item for each event and recipient.
//!
//! | attribute | holds |
//! |---|---|
//! | `pk` | our id of the message, or `ses#<SES's id of the mail>` for an event without our tag |
//! | `sk` | `event#<at>#<type>#<feedback id>#<hash of the recipient, or ->`, or `delivery#<hash>` |
//! | `sk` of an opening or a click | `engaged#<at>#<type>#<identity>#<hash of the recipient, or ->` |
//! | `at` | when it happened, by SES (milliseconds) |
//! | `recipient` | the recipient, normalised; absent where the event is about the whole mail |
//! | `subtype`, `diagnostic` | SES's words for what happened, and what the receiving server said |
//! | `bounce_reason` | why the mail bounced, by [`domain::bounce`] |
//! | `forwarded` | `true` where the mail was not sent to the recipient |
//! | `link`, `link_tags` | the link that somebody followed, and its tags (a map) |
//! | `ip_address`, `user_agent` | the visitor, of a mail to one recipient alone |
//! | `expires_at` | when DynamoDB may delete it (seconds) |
//!
//! The row of a message says that SES took it, so a `Send` is written only if the row does not say that or not when.
//!
//! The key of an event is made of the event alone, so that its copies overwrite one another. A `Delivery` to a
//! recipient has a key that is made of the recipient alone: whether a mail was delivered to somebody is one `GetItem`.
//!
//! A mail may be opened thousands of times. Openings and clicks have a prefix of their own, so that they do not keep
//! a bounce out of the events that are read. Nobody knows who of several recipients opened a mail: erasing one of them
//! could not find the visitor, so the visitor is not kept.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use uuid::Uuid;

use super::partition::row_key;
use super::{Messages, by_recipient, key};
use crate::StoreError;
use crate::dynamodb::condition::unless_overtaken;
use crate::dynamodb::item::{Item, names, s, text_of, time, time_of, ttl};
use domain::bounce::BounceReason;
use domain::feedback::{EventRecipient, MessageEvent};
use domain::record::{Engagement, RecordedEvent, SEND, Visit};

/// The most events of a message that are read, without openings and clicks: the newest ones.
pub const EVENTS_READ_MAX: usize = 200;
/// The most openings and clicks of a message that are read: the newest ones.
pub const ENGAGEMENTS_READ_MAX: usize = 50;

/// The beginning of the sort key of an event.
pub(super) const EVENT: &str = "event#";
/// The beginning of the sort key of a delivery to a recipient. It sorts before [`ENGAGED`].
pub(super) const DELIVERY: &str = "delivery#";
/// The beginning of the sort key of an opening or a click. It sorts between [`DELIVERY`] and [`EVENT`], and nothing
/// else does.
pub(super) const ENGAGED: &str = "engaged#";
/// A key that sorts behind every event: the character that follows `#`.
const EVENTS_END: &str = "event$";
/// The type of event that is kept by recipient.
const DELIVERY_TYPE: &str = "Delivery";
/// How many items of one event are written at the same time.
const WRITES_AT_ONCE: usize = 8;

impl Messages {
    /// Adds an event of SES to the message that it is about. Any event proves that SES took the mail: it writes SES's
    /// id into the row of the message, if there is a row and it has none. A `Send` of which the row says everything
    /// writes nothing. May be repeated and reordered at will.
    ///
    /// The row is read first, because a read costs a tenth of a write and the sender has settled almost every mail.
    ///
    /// # Errors
    /// [`StoreError`] if part of it may not have been written. The rest is written all the same.
    pub async fn add_event(&self, event: &MessageEvent, expires_at: Timestamp) -> Result<(), StoreError> {
        // One after the other: nobody waits for them, and a second connection would cost more than the time.
        let row = match event.message_id {
            Some(id) => self.known_acceptance(id).await,
            None => Acceptance::default(),
        };
        if event.kind == SEND && row.says_all_of(event) {
            return Ok(());
        }
        let named = match event.message_id.filter(|_| row.ses_id.is_none()) {
            Some(id) => unless_overtaken(self.set_ses_id(id, &event.ses_id).await),
            None => Ok(()),
        };
        let writes = items(event, expires_at).into_iter().map(|item| self.put_event(item));
        let written: Vec<_> = stream::iter(writes).buffer_unordered(WRITES_AT_ONCE).collect().await;
        written.into_iter().chain([named]).collect()
    }

    /// Reads what the row of a message says of SES's acceptance. The read is not consistent: it costs half as much. A
    /// row that was settled a moment ago may look unsettled, and a row keeps SES's id for good. A row that cannot be
    /// read counts as unsettled, and the writes follow.
    async fn known_acceptance(&self, id: Uuid) -> Acceptance {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(row_key(id)))
            .projection_expression("#ses_id, #sent_at")
            .set_expression_attribute_names(names(["ses_id", "sent_at"]))
            .send()
            .await;
        match read {
            Ok(answer) => answer.item.as_ref().map(Acceptance::of).unwrap_or_default(),
            Err(error) => {
                let error = StoreError::of("GetItem")(error);
                tracing::warn!(message.id = %id, code = error.code, "the row of an event's message could not be read");
                Acceptance::default()
            }
        }
    }

    async fn put_event(&self, item: Item) -> Result<(), StoreError> {
        let is_delivery = text_of(&item, "sk").is_some_and(|sk| sk.starts_with(DELIVERY));
        let at = item.get("at").cloned();
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = match at {
            // SES may report two deliveries to one recipient. The later one stays, in whichever order they come.
            Some(at) if is_delivery => put
                .condition_expression("attribute_not_exists(#at) OR #at < :at")
                .set_expression_attribute_names(names(["at"]))
                .expression_attribute_values(":at", at),
            _ => put,
        };
        unless_overtaken(put.send().await)
    }

    /// Reads the newest events of a partition, consistently: at most [`EVENTS_READ_MAX`] and [`ENGAGEMENTS_READ_MAX`],
    /// the newest first.
    pub(super) async fn newest_events(&self, partition: &str) -> Result<Vec<RecordedEvent>, StoreError> {
        // The range holds the deliveries, by recipient; behind them openings and clicks, by time; and behind those all
        // other events, by time. It is read from its end.
        let mut items = self.range(partition, DELIVERY, EVENTS_END).await?;
        if items.len() == EVENTS_READ_MAX {
            // There may be deliveries that were not read, and any of them may be among the newest.
            items.retain(|item| text_of(item, "sk").is_some_and(|sk| !sk.starts_with(DELIVERY)));
            items.extend(self.range(partition, DELIVERY, ENGAGED).await?);
        }
        let mut events: Vec<RecordedEvent> = items.iter().filter_map(recorded).collect();
        newest_first(&mut events);
        Ok(events)
    }

    /// Reads at most [`EVENTS_READ_MAX`] items from `start` up to `end`, the last ones, from the last one back.
    async fn range(&self, partition: &str, start: &str, end: &str) -> Result<Vec<Item>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(i32::try_from(EVENTS_READ_MAX).unwrap_or(i32::MAX))
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :start AND :end")
            .set_expression_attribute_names(names(["pk", "sk"]))
            .expression_attribute_values(":pk", s(partition))
            .expression_attribute_values(":start", s(start))
            .expression_attribute_values(":end", s(end))
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while items.len() < EVENTS_READ_MAX
            && let Some(item) = pages.next().await
        {
            items.push(item.map_err(StoreError::of("Query"))?);
        }
        Ok(items)
    }

    /// Looks for one event of a message, consistently. Any event proves that SES took the mail: a message that would be
    /// unknown without it was sent. Events without our tag are not found.
    ///
    /// # Errors
    /// [`StoreError`] if the table could not be read.
    pub async fn proof_of_sending(&self, id: Uuid) -> Result<Option<RecordedEvent>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .limit(1)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :start AND :end")
            .set_expression_attribute_names(names(["pk", "sk"]))
            .expression_attribute_values(":pk", s(id.to_string()))
            .expression_attribute_values(":start", s(DELIVERY))
            .expression_attribute_values(":end", s(EVENTS_END))
            .send()
            .await
            .map_err(StoreError::of("Query"))?;
        Ok(answer.items().iter().find_map(recorded))
    }
}

/// What the row of a message says of SES's acceptance.
#[derive(Default)]
struct Acceptance {
    ses_id: Option<String>,
    has_time: bool,
}

impl Acceptance {
    fn of(row: &Item) -> Self {
        Self {
            ses_id: text_of(row, "ses_id").map(str::to_owned),
            has_time: row.contains_key("sent_at"),
        }
    }

    /// Returns whether an event `Send` of the message can be read from its row. An event of an earlier attempt names
    /// another mail of SES.
    fn says_all_of(&self, event: &MessageEvent) -> bool {
        self.has_time && self.ses_id.as_ref() == Some(&event.ses_id)
    }
}

/// Keeps the newest events of those that were read, the newest first.
pub(super) fn newest_first(events: &mut Vec<RecordedEvent>) {
    events.sort_by(|one, other| (other.at, &other.kind, &other.recipient).cmp(&(one.at, &one.kind, &one.recipient)));
    let (mut engagements, mut others) = (ENGAGEMENTS_READ_MAX, EVENTS_READ_MAX);
    events.retain(|event| {
        let room = if event.engagement.is_some() {
            &mut engagements
        } else {
            &mut others
        };
        let fits = *room > 0;
        *room = room.saturating_sub(1);
        fits
    });
}

/// The partition of the events of a mail without our tag.
pub(super) fn untagged(ses_id: &str) -> String {
    format!("ses#{ses_id}")
}

/// The sort key of a delivery to the recipient with this hash.
pub(super) fn delivery_key(hash: &str) -> String {
    format!("{DELIVERY}{hash}")
}

/// The items of an event: one for each recipient, or one for the mail as a whole; and an entry of the index for each
/// recipient to whom the mail was forwarded, whom the entries of the mail do not name.
fn items(event: &MessageEvent, expires_at: Timestamp) -> Vec<Item> {
    if event.recipients.is_empty() {
        return vec![item(event, None, expires_at)];
    }
    let recipients = event.recipients.iter();
    let forwarded = recipients.clone().filter(|(_, about)| about.forwarded);
    let entries = event.message_id.into_iter().flat_map(|id| {
        let hashes = forwarded.clone().map(|(address, _)| by_recipient::hash_of(address));
        hashes.map(move |hash| by_recipient::forwarded_row(id, &hash, expires_at))
    });
    recipients
        .map(|recipient| item(event, Some(recipient), expires_at))
        .chain(entries)
        .collect()
}

fn item(event: &MessageEvent, recipient: Option<(&String, &EventRecipient)>, expires_at: Timestamp) -> Item {
    let partition = event
        .message_id
        .map_or_else(|| untagged(&event.ses_id), |id| id.to_string());
    let sk = match recipient.map(|(address, _)| by_recipient::hash_of(address)) {
        Some(hash) if event.kind == DELIVERY_TYPE => delivery_key(&hash),
        hash => event_key(event, hash.as_deref().unwrap_or("-")),
    };
    let mut item = key(partition, sk);
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    set("at", time(event.at));
    set("expires_at", ttl(expires_at));
    if let Some((address, about)) = recipient {
        set("recipient", s(address));
        if let Some(diagnostic) = &about.diagnostic {
            set("diagnostic", s(diagnostic));
        }
        if let Some(reason) = about.bounce_reason {
            set("bounce_reason", s(reason.as_str()));
        }
        if about.forwarded {
            set("forwarded", AttributeValue::Bool(true));
        }
    }
    if let Some(subtype) = &event.subtype {
        set("subtype", s(subtype));
    }
    if let Some(engagement) = &event.engagement {
        let visit = Some(&engagement.visit).filter(|_| recipient.is_some());
        let texts = [
            ("link", engagement.link.as_ref()),
            ("ip_address", visit.and_then(|visit| visit.ip_address.as_ref())),
            ("user_agent", visit.and_then(|visit| visit.user_agent.as_ref())),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                set(name, s(text));
            }
        }
        if !engagement.link_tags.is_empty() {
            let tags = engagement
                .link_tags
                .iter()
                .map(|(name, value)| (name.clone(), s(value)));
            set("link_tags", AttributeValue::M(tags.collect()));
        }
    }
    item
}

/// The sort key of an event. Milliseconds have 13 digits until the year 2286, so that keys sort by time.
fn event_key(event: &MessageEvent, recipient: &str) -> String {
    let at = event.at.as_millisecond().clamp(0, 9_999_999_999_999);
    let prefix = if event.engagement.is_some() { ENGAGED } else { EVENT };
    format!("{prefix}{at:013}#{}#{}#{recipient}", event.kind, event.id)
}

/// Reads an event; items of another kind are none.
fn recorded(item: &Item) -> Option<RecordedEvent> {
    let sk = text_of(item, "sk")?;
    let is_engagement = sk.starts_with(ENGAGED);
    let kind = match sk.strip_prefix(EVENT).or(sk.strip_prefix(ENGAGED)) {
        Some(rest) => rest.split('#').nth(1)?,
        None => sk.strip_prefix(DELIVERY).map(|_| DELIVERY_TYPE)?,
    };
    let text = |name| text_of(item, name).map(str::to_owned);
    Some(RecordedEvent {
        kind: kind.to_owned(),
        at: time_of(item, "at")?,
        recipient: text("recipient"),
        subtype: text("subtype"),
        diagnostic: text("diagnostic"),
        bounce_reason: text_of(item, "bounce_reason").and_then(BounceReason::parse),
        forwarded: item
            .get("forwarded")
            .is_some_and(|value| value == &AttributeValue::Bool(true)),
        engagement: is_engagement.then(|| Engagement {
            visit: Visit {
                ip_address: text("ip_address"),
                user_agent: text("user_agent"),
            },
            link: text("link"),
            link_tags: link_tags(item),
        }),
    })
}

fn link_tags(item: &Item) -> BTreeMap<String, String> {
    let tags = item
        .get("link_tags")
        .and_then(|tags| tags.as_m().ok())
        .into_iter()
        .flatten();
    tags.filter_map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())))
        .collect()
}
