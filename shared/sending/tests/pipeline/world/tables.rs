//! The items of a world's tables.

use std::time::Duration;

use aws::{Created, Webhooks};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::feedback::{Feedback, read};
use domain::settlement::{SettleStep, Settlement};
use domain::webhook::{Endpoint, EndpointState, EventId, EventKind, SigningSecret, Target};
use serde_json::Value;
use uuid::Uuid;

use super::{World, dynamodb, sdk};

impl World {
    /// How many items the table of waiting mails has.
    pub(crate) async fn outbox_items(&self) -> i32 {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let scan = client
            .scan()
            .table_name(&self.tables["OutboxTable"])
            .consistent_read(true);
        scan.send().await.unwrap().count()
    }

    /// Deletes the items of the table of messages whose time is over, as DynamoDB does some time or other.
    pub(crate) async fn expire(&self) {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let table = &self.tables["MessagesTable"];
        let now = self.clock.now().as_second().to_string();
        let scan = client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .filter_expression("expires_at <= :now")
            .projection_expression("pk, sk")
            .expression_attribute_values(":now", AttributeValue::N(now));
        let expired = scan.into_paginator().items().send().try_collect().await.unwrap();
        for key in expired {
            let delete = client.delete_item().table_name(table).set_key(Some(key));
            delete.send().await.unwrap();
        }
    }

    /// Replaces the content of a mail that waits by these bytes.
    pub(crate) async fn overwrite_content(&self, id: Uuid, content: Vec<u8>) {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let entry = self.entry(id).await.unwrap();
        let key = |part: &str| {
            let key = [("id", id.to_string()), ("part", part.to_owned())];
            key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)))
        };
        let update = |part: &str| {
            let update = client.update_item().table_name(&self.tables["OutboxTable"]);
            update.set_key(Some(key(part).into()))
        };
        let size = AttributeValue::N(content.len().to_string());
        let of_entry = update("entry").update_expression("SET #size = :size");
        let of_entry = of_entry.expression_attribute_names("#size", "size");
        of_entry
            .expression_attribute_values(":size", size)
            .send()
            .await
            .unwrap();
        let part = update(&format!("{}#1", entry.content.nonce)).update_expression("SET content = :content");
        let content = AttributeValue::B(Blob::new(content));
        part.expression_attribute_values(":content", content)
            .send()
            .await
            .unwrap();
    }

    /// How many items the table of the mails that wait has, of one mail or of all.
    pub(crate) async fn waiting_items(&self, id: Option<Uuid>) -> usize {
        let items = self.waiting_keys().await;
        let is_of = |(of, _): &&(String, String)| id.is_none_or(|id| id.to_string() == *of);
        items.iter().filter(is_of).count()
    }

    /// How many mails wait.
    pub(crate) async fn entries(&self) -> usize {
        let items = self.waiting_keys().await;
        items.iter().filter(|(_, part)| part == "entry").count()
    }

    /// How many parts there are of a content.
    pub(crate) async fn parts(&self, id: Uuid, content_nonce: Uuid) -> usize {
        let (id, begins) = (id.to_string(), content_nonce.to_string());
        let items = self.waiting_keys().await;
        let is_part = |(of, part): &&(String, String)| *of == id && part.starts_with(&begins);
        items.iter().filter(is_part).count()
    }

    /// The keys of the table of the mails that wait.
    async fn waiting_keys(&self) -> Vec<(String, String)> {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let scan = client
            .scan()
            .table_name(&self.tables["OutboxTable"])
            .consistent_read(true)
            .projection_expression("id, part");
        let items = scan.into_paginator().items().send().try_collect().await.unwrap();
        let text = |value: &AttributeValue| value.as_s().unwrap().clone();
        items
            .iter()
            .map(|item| (text(&item["id"]), text(&item["part"])))
            .collect()
    }

    /// Deletes the row of a mail, as DynamoDB does when its time is over.
    pub(crate) async fn expire_row(&self, id: Uuid) {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let delete = client.delete_item().table_name(&self.tables["MessagesTable"]);
        let partition = format!("mail#{}", id.as_bytes()[15] % 8);
        let key = [("pk", partition), ("sk", id.to_string())];
        let key = key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
        delete.set_key(Some(key.into())).send().await.unwrap();
    }

    /// Has an operator settle a mail of which it is not known whether SES took it, by what is true.
    pub(crate) async fn settle_as_it_is(&self, id: Uuid) {
        let now = self.clock.now();
        let Some(record) = self.shared.messages.read(id).await.unwrap() else {
            return;
        };
        let is_sent = self.shared.accepted.lock().unwrap().iter().any(|mail| mail.id == id);
        let word = if is_sent { Settlement::Sent } else { Settlement::NotSent };
        if SettleStep::of(&record, word, now) == SettleStep::Write {
            assert!(self.shared.messages.settle(&record, word, now).await.unwrap());
        }
    }

    /// Writes the `Send` events that SES has published since, so many copies of each, as the feedback function does.
    pub(crate) async fn deliver(&self, copies: usize) {
        let mut events = self.events.lock().await;
        while let Ok(published) = events.try_recv() {
            let now = self.clock.now();
            let text = match &published.event {
                Value::String(text) => text.clone(),
                event => event.to_string(),
            };
            let Feedback::Event(event) = read(&text, now).unwrap() else {
                continue;
            };
            let Some(message) = event.message.filter(|message| message.kind == "Send") else {
                continue;
            };
            for _ in 0..copies {
                let expires = now + Duration::from_hours(24 * 30);
                self.shared.messages.add_event(&message, expires).await.unwrap();
            }
        }
    }

    /// Makes an endpoint that wants every kind of events.
    pub(super) async fn make_endpoint(&self) {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let webhooks = Webhooks::new(client, self.tables["WebhooksTable"].clone());
        let endpoint = Endpoint {
            id: "endpoint".to_owned(),
            target: Target::Url("https://app.example.com/hook".to_owned()),
            events: EventKind::ALL.into(),
            state: EndpointState::Enabled,
            created_at: self.clock.now(),
        };
        let secret = SigningSecret::from_random([7; 32]);
        assert_eq!(webhooks.create(&endpoint, &secret).await.unwrap(), Created::Done);
    }

    /// Takes the deliveries out of their table that wait because SQS did not take them.
    pub(crate) async fn take_deliveries(&self) -> Vec<(EventId, EventKind, String)> {
        let client = dynamodb(&sdk(&self.dynamodb_url, self.shared.connector.clone()));
        let table = &self.tables["DeliveriesTable"];
        let scan = client.scan().table_name(table).consistent_read(true);
        let items = scan.into_paginator().items().send().try_collect().await.unwrap();
        let mut taken = Vec::new();
        for item in items {
            let text = |name: &str| item[name].as_s().unwrap().as_str();
            assert_eq!(text("state"), "waiting");
            let (event, kind) = (EventId::parse(text("event")), EventKind::parse(text("kind")));
            taken.push((event.unwrap(), kind.unwrap(), text("body").to_owned()));
            let delete = client.delete_item().table_name(table);
            let key = ["shard", "event"].map(|name| (name.to_owned(), item[name].clone()));
            delete.set_key(Some(key.into())).send().await.unwrap();
        }
        taken
    }
}
