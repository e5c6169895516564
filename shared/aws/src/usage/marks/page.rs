//! Whole marks, read back a page at a time.

use std::collections::HashMap;

use jiff::civil::Date;

use super::{Marks, partition};
use crate::StoreError;
use crate::dynamodb::item::{Item, names, s, text_of, time_of, uuid_of};
use domain::feedback::{MarkKind, RecordedMark};
use domain::stream::Stream;

/// A page of the marks of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarksPage {
    /// The marks, by kind.
    pub marks: Vec<RecordedMark>,
    /// The number of items that are no marks of Okite's.
    pub unreadable: u64,
    /// The position after which to go on; `None` if this page is the last.
    pub next: Option<String>,
}

impl Marks {
    /// Reads a page of the marks of a day (UTC): the first, or the one that follows `after`, the `next` of the page
    /// before.
    ///
    /// # Errors
    /// [`StoreError`] if they could not be read.
    pub async fn page(&self, day: Date, after: Option<&str>) -> Result<MarksPage, StoreError> {
        let start = |sk: &str| HashMap::from([("pk".to_owned(), s(partition(day))), ("sk".to_owned(), s(sk))]);
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk")
            .set_expression_attribute_names(names(["pk"]))
            .expression_attribute_values(":pk", s(partition(day)))
            .set_exclusive_start_key(after.map(start))
            .send()
            .await
            .map_err(StoreError::of("Query"))?;
        let mut page = MarksPage {
            next: answer
                .last_evaluated_key
                .and_then(|key| text_of(&key, "sk").map(str::to_owned)),
            ..MarksPage::default()
        };
        for item in answer.items.into_iter().flatten() {
            match mark(&item) {
                Some(mark) => page.marks.push(mark),
                None => page.unreadable += 1,
            }
        }
        Ok(page)
    }
}

fn mark(item: &Item) -> Option<RecordedMark> {
    let (kind, _) = text_of(item, "sk")?.split_once('#')?;
    let tags = item.get("tag").and_then(|tags| tags.as_ss().ok());
    Some(RecordedMark {
        kind: MarkKind::parse(kind)?,
        stream: Stream::parse(text_of(item, "stream")?)?,
        domain: text_of(item, "domain")?.to_owned(),
        class: text_of(item, "class")?.to_owned(),
        tags: tags.into_iter().flatten().cloned().collect(),
        message_id: uuid_of(item, "message_id"),
        at: time_of(item, "at")?,
    })
}
