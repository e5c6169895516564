//! The events that are printed: those of a recipient, or of an email.

use domain::address::EmailAddress;
use domain::webhook::Delivery;
use serde_json::Value;
use uuid::Uuid;

use crate::event_feed::body;

/// The properties that an event must have to be printed.
#[derive(Clone, Debug, Default)]
pub(super) struct EventFilter {
    pub(super) to: Option<EmailAddress>,
    pub(super) email: Option<Uuid>,
}

/// Parses the address of a recipient.
pub(super) fn parse_recipient(text: &str) -> Result<EmailAddress, String> {
    EmailAddress::parse(text).map_err(|error| format!("{error}: give the address alone, such as anna@example.org"))
}

impl EventFilter {
    pub(super) fn passes(&self, delivery: &Delivery) -> bool {
        let data = &body(delivery)["data"];
        let of_recipient = self.to.as_ref().is_none_or(|to| {
            let named = |value: &Value| value.as_str().is_some_and(|text| is_address(text, to));
            let mut recipients = data["to"].as_array().into_iter().flatten();
            recipients.any(named) || named(&data["email"])
        });
        let of_email = self.email.is_none_or(|id| {
            let named = data["email_id"].as_str().and_then(|named| named.parse().ok());
            named == Some(id)
        });
        of_recipient && of_email
    }
}

/// Returns whether a text is an address, in any spelling, with or without a name before it.
fn is_address(text: &str, address: &EmailAddress) -> bool {
    let inside = text.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
    let parsed = EmailAddress::parse(inside.unwrap_or(text));
    parsed.is_ok_and(|parsed| parsed.normalised() == address.normalised())
}

#[cfg(test)]
mod tests {
    use domain::webhook::{EventId, EventKind};
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    const EMAIL: &str = "01980000-0000-7000-8000-000000000000";

    fn delivery(data: &Value) -> Delivery {
        Delivery {
            endpoint: "a".to_owned(),
            event: EventId::of(Timestamp::UNIX_EPOCH, &["x"]),
            kind: EventKind::EmailBounced,
            created_at: Timestamp::UNIX_EPOCH,
            body: json!({ "type": "email.bounced", "data": data }).to_string(),
            attempts: 0,
        }
    }

    #[test]
    fn an_event_passes_if_all_filters_name_it() {
        let to = |to: &str| Some(parse_recipient(to).unwrap());
        let email = |id: &str| Some(id.parse().unwrap());
        let mail = json!({ "email_id": EMAIL, "to": ["ben@example.org", "Anna <Anna@Example.org>"] });
        let suppression = json!({ "id": "1", "email": "anna@example.org" });
        let verdict = json!({ "from": "healthy", "to": "warn" });
        let other = "01980000-0000-7000-8000-000000000001";
        for (to_filter, email_filter, passing) in [
            (None, None, [true, true, true]),
            (to("ANNA@example.org"), None, [true, true, false]),
            (to("nobody@example.org"), None, [false, false, false]),
            (None, email(EMAIL), [true, false, false]),
            (to("anna@example.org"), email(EMAIL), [true, false, false]),
            (to("anna@example.org"), email(other), [false, false, false]),
        ] {
            let filter = EventFilter {
                to: to_filter,
                email: email_filter,
            };
            let passed = [&mail, &suppression, &verdict].map(|data| filter.passes(&delivery(data)));
            assert_eq!(passed, passing, "{filter:?}");
        }
    }
}
