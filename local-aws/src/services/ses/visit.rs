//! Openings and clicks: a person visits a mail that SES tracks.
//!
//! SES tracks a mail if its configuration set publishes openings or clicks, unless the request overrides that. The
//! simulator remembers the mails that it tracks until the outbox is cleared or the process ends. It rewrites no links
//! and adds no image: the caller who plays the recipient names the mail instead.
//! <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-open-object>

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::configuration_set::ConfigurationSetState;
use super::event::{self, Accepted};
use super::mail::TrackingOverrides;
use super::outbox::ses_id;
use super::{PublishedEvent, Ses};

const IP_ADDRESS: &str = "192.0.2.44";
const USER_AGENT: &str = "Mozilla/5.0 (local-aws)";

/// The visitor of a mail. Whatever is left out, the simulator makes up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Visitor {
    ip_address: Option<String>,
    user_agent: Option<String>,
}

/// A click on a link, by a visitor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Click {
    /// The link, as it stands in the mail.
    pub(crate) link: String,
    ip_address: Option<String>,
    user_agent: Option<String>,
}

/// A visit of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    /// Somebody opens the mail.
    Open(Visitor),
    /// Somebody follows a link of the mail.
    Click(Click),
}

/// The reason why a visit makes no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotVisited {
    /// The mail is not tracked in this way.
    #[error(
        "SES does not track this mail: start with the parameter that publishes openings and clicks, and ask for it when \
         sending; mails that were sent before the last start are not tracked either"
    )]
    NotTracked,
    /// The mail has no such link.
    #[error("neither the HTML nor the text of this mail has this link")]
    NoSuchLink,
}

/// A mail that SES tracks.
#[derive(Clone, Debug)]
pub(super) struct TrackedMail {
    accepted: Accepted,
    set: ConfigurationSetState,
    opens: bool,
    clicks: bool,
}

impl TrackedMail {
    /// Returns the mail if SES tracks it.
    pub(super) fn of(accepted: &Accepted, set: Option<&ConfigurationSetState>) -> Option<Self> {
        let set = set?;
        let TrackingOverrides { opens, clicks } = accepted.mail.tracking;
        let publishes = |event_type: &str| set.event_types.contains(&event_type);
        let (opens, clicks) = (
            opens.unwrap_or_else(|| publishes("OPEN")),
            clicks.unwrap_or_else(|| publishes("CLICK")),
        );
        (opens || clicks).then(|| Self {
            accepted: accepted.clone(),
            set: set.clone(),
            opens,
            clicks,
        })
    }

    /// Returns SES's id of the mail.
    pub(super) fn message_id(&self) -> String {
        ses_id(self.accepted.id, self.accepted.at)
    }

    fn check(&self, visit: &Visit) -> Result<(), NotVisited> {
        match visit {
            Visit::Open(_) if self.opens => Ok(()),
            Visit::Click(click) if self.clicks => {
                let mail = &self.accepted.mail;
                // In HTML, `&` stands there as `&amp;`.
                let written = click.link.replace('&', "&amp;");
                let has = |text: &String| text.contains(&click.link) || text.contains(&written);
                let is_there = mail.html.iter().chain(&mail.text).any(has);
                is_there.then_some(()).ok_or(NotVisited::NoSuchLink)
            }
            _ => Err(NotVisited::NotTracked),
        }
    }
}

impl Ses {
    /// Publishes the event of a visit of the mail with this id of SES, if the configuration set publishes such events.
    pub(crate) fn visit(&self, message_id: &str, visit: &Visit) -> Result<(), NotVisited> {
        let state = self.state();
        let tracked = state.tracked.get(message_id).ok_or(NotVisited::NotTracked)?;
        tracked.check(visit)?;
        let (event_type, event) = written(&tracked.accepted, visit, self.clock.now());
        if let Some(topic) = &tracked.set.topic_arn
            && tracked.set.event_types.contains(&event_type)
        {
            // Nobody listens any more when the process is ending.
            let _ = self.events.send(PublishedEvent {
                topic_arn: topic.clone(),
                event,
                after: Duration::ZERO,
            });
        }
        Ok(())
    }
}

/// Writes the event of a visit, and returns its type as a configuration set lists it.
fn written(accepted: &Accepted, visit: &Visit, at: Timestamp) -> (&'static str, Value) {
    let visited = |ip_address: &Option<String>, user_agent: &Option<String>| {
        json!({
            "timestamp": event::time(at),
            "ipAddress": ip_address.as_deref().unwrap_or(IP_ADDRESS),
            "userAgent": user_agent.as_deref().unwrap_or(USER_AGENT),
        })
    };
    let (event_type, name, member, detail) = match visit {
        Visit::Open(visitor) => (
            "OPEN",
            "Open",
            "open",
            visited(&visitor.ip_address, &visitor.user_agent),
        ),
        Visit::Click(click) => {
            let mut detail = visited(&click.ip_address, &click.user_agent);
            detail["link"] = json!(click.link);
            detail["linkTags"] = Value::Null;
            ("CLICK", "Click", "click", detail)
        }
    };
    let mut event = json!({ "eventType": name, "mail": event::mail_with_tags(accepted) });
    event[member] = detail;
    (event_type, event)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use uuid::Uuid;

    use super::super::send_email::check;
    use super::super::tests::{fresh, settings};
    use super::*;

    const LINK: &str = "https://example.com/?a=b&c=d";

    /// Sends a mail through a configuration set of these events, and returns what a visit of it makes.
    fn visited(event_types: &[&str], overrides: &Value, visit: &Visit) -> Result<Vec<Value>, NotVisited> {
        let mut settings = settings();
        settings.configuration_sets[0].event_types = event_types.iter().map(|&kind| kind.to_owned()).collect();
        let (sender, mut events) = unbounded_channel();
        let ses = Ses::new(settings, fresh(), sender).unwrap();
        let request = json!({
            "FromEmailAddress": "ada@example.com",
            "Destination": {"ToAddresses": ["bob@example.net"]},
            "ConfigurationSetName": "shop",
            "ConfigurationOverrides": overrides,
            "EmailTags": [{"Name": "shop_id", "Value": "m-1"}],
            "Content": {"Simple": {
                "Subject": {"Data": "Hi"},
                "Body": {"Html": {"Data": "<a href=\"https://example.com/?a=b&amp;c=d\">x</a>"}},
            }},
        });
        let mail = check(serde_json::from_value(request).unwrap()).unwrap();
        let id = ses.send(mail, Uuid::from_u128(1), ses.clock.now()).unwrap();
        drained(&mut events);
        ses.visit(&id, visit)?;
        Ok(drained(&mut events))
    }

    fn drained(events: &mut UnboundedReceiver<PublishedEvent>) -> Vec<Value> {
        std::iter::from_fn(|| events.try_recv().ok())
            .map(|published| published.event)
            .collect()
    }

    fn click(link: &str) -> Visit {
        Visit::Click(Click {
            link: link.to_owned(),
            ip_address: Some("192.0.2.7".to_owned()),
            user_agent: None,
        })
    }

    fn open() -> Visit {
        Visit::Open(Visitor::default())
    }

    #[test]
    fn the_overrides_of_the_request_win_over_the_configuration_set() {
        let says = |opens: &str, clicks: &str| json!({"Tracking": {"OpenTrackingEnabled": opens, "ClickTrackingEnabled": clicks}});
        let all = ["SEND", "OPEN", "CLICK"];
        let count = |types: &[&str], overrides: Value, visit: &Visit| {
            visited(types, &overrides, visit).map(|events| events.len())
        };
        for visit in [open(), click(LINK)] {
            assert_eq!(count(&all, json!({}), &visit), Ok(1));
            assert_eq!(
                count(&all, says("DISABLED", "DISABLED"), &visit),
                Err(NotVisited::NotTracked)
            );
            assert_eq!(count(&["SEND"], json!({}), &visit), Err(NotVisited::NotTracked));
            // It is tracked, and no destination publishes it.
            assert_eq!(count(&["SEND"], says("ENABLED", "ENABLED"), &visit), Ok(0));
        }
        assert_eq!(count(&all, says("ENABLED", "DISABLED"), &open()), Ok(1));
        assert_eq!(
            count(&all, says("ENABLED", "DISABLED"), &click(LINK)),
            Err(NotVisited::NotTracked)
        );
        assert_eq!(
            count(&all, json!({}), &click("https://example.com/other")),
            Err(NotVisited::NoSuchLink)
        );
    }

    #[test]
    fn a_click_is_published_with_the_mail_and_the_visitor() {
        let events = visited(&["CLICK"], &json!({}), &click(LINK)).unwrap();
        assert_eq!(events[0]["eventType"], "Click");
        assert_eq!(events[0]["mail"]["tags"]["shop_id"], json!(["m-1"]));
        assert_eq!(events[0]["mail"]["destination"], json!(["bob@example.net"]));
        let detail = &events[0]["click"];
        assert_eq!(
            (&detail["link"], &detail["ipAddress"], &detail["userAgent"]),
            (&json!(LINK), &json!("192.0.2.7"), &json!(USER_AGENT))
        );
    }

    #[test]
    fn refuses_a_status_that_ses_does_not_know() {
        let request = json!({"ConfigurationOverrides": {"Tracking": {"OpenTrackingEnabled": "true"}}});
        assert!(check(serde_json::from_value(request).unwrap()).is_err());
    }
}
