//! The opening of a mail and the click on a link, as SES reports them.
//!
//! SES counts an opening when a client loads an image in the mail, and a click when somebody follows a link that SES
//! rewrote. Both have no id of SES. Their time, the link and the IP address distinguish one from another.
//!
//! SES does not report who opened a mail to several recipients: all of them have the same image and the same links.
//! <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-open-object>

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::message_event::{short, text_of};
use crate::hex::hex;
use crate::record::{Engagement, Visit};

/// The longest link that is kept, in characters.
const LINK_MAX: usize = 2_000;
/// The most tags of a link that are kept.
const LINK_TAGS_MAX: usize = 20;

/// Reads the object `open` or `click` of an event.
pub(super) fn read(object: Option<&Value>) -> Engagement {
    let tags = object.and_then(|object| object.get("linkTags")?.as_object());
    let tag = |(name, values): (&String, &Value)| Some((short(name), short(values.get(0)?.as_str()?)));
    Engagement {
        visit: Visit {
            ip_address: text_of(object, "ipAddress").map(short),
            user_agent: text_of(object, "userAgent").map(short),
        },
        link: text_of(object, "link").map(|link| link.chars().take(LINK_MAX).collect()),
        link_tags: tags.into_iter().flatten().filter_map(tag).take(LINK_TAGS_MAX).collect(),
    }
}

/// Returns the identity of the object, which is the same for every copy of its event.
pub(super) fn id(object: Option<&Value>) -> String {
    let mut hash = Sha256::new();
    for name in ["timestamp", "link", "ipAddress"] {
        let text = text_of(object, name).unwrap_or_default();
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hex(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn click() -> Value {
        json!({"ipAddress": "192.0.2.1", "timestamp": "2026-01-01T00:00:05.123Z", "userAgent": "Mozilla/5.0",
               "link": "https://example.com/a?b=c", "linkTags": {"place": ["footer", "again"], "none": [], "odd": 7}})
    }

    #[test]
    fn reads_a_click_and_an_opening() {
        let engagement = read(Some(&click()));
        assert_eq!(engagement.visit.ip_address.as_deref(), Some("192.0.2.1"));
        assert_eq!(engagement.visit.user_agent.as_deref(), Some("Mozilla/5.0"));
        assert_eq!(engagement.link.as_deref(), Some("https://example.com/a?b=c"));
        assert_eq!(
            Vec::from_iter(engagement.link_tags),
            [("place".to_owned(), "footer".to_owned())]
        );
        assert_eq!(read(None), Engagement::default());
        assert_eq!(read(Some(&json!([7]))), Engagement::default());
    }

    #[test]
    fn keeps_texts_of_a_limited_length() {
        let long = "x".repeat(100_000);
        let tags: serde_json::Map<_, _> = (0..200).map(|n| (format!("{n}{long}"), json!([long]))).collect();
        let object = json!({"ipAddress": long, "userAgent": long, "link": long, "linkTags": tags});
        let engagement = read(Some(&object));
        assert_eq!(engagement.link.map(|link| link.len()), Some(LINK_MAX));
        assert_eq!(engagement.link_tags.len(), LINK_TAGS_MAX);
        let longest = engagement
            .link_tags
            .into_iter()
            .flat_map(<[String; 2]>::from)
            .map(|text| text.len());
        assert_eq!(longest.max(), Some(1_000));
        assert_eq!(engagement.visit.ip_address.map(|ip| ip.len()), Some(1_000));
    }

    #[test]
    fn time_link_and_address_distinguish_one_from_another() {
        let id_with = |change: &str| {
            let mut object = click();
            if !change.is_empty() {
                object[change] = json!("another");
            }
            id(Some(&object))
        };
        assert_eq!(id_with(""), id_with("userAgent"));
        for change in ["timestamp", "link", "ipAddress"] {
            assert_ne!(id_with(""), id_with(change), "{change}");
        }
    }
}
