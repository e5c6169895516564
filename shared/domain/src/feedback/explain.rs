//! An event of SES with the judgement of each recipient and its evidence, for a person to read.

use serde_json::Value;

use super::event::{Json, Recipient};
use super::{FeedbackClass, UnreadableFeedback, address, classify};
use crate::bounce::BounceJudgement;

/// A recipient of a bounce or complaint, with the evidence that SES gave. It holds addresses, and is not for a log.
#[derive(Clone, Debug)]
pub struct ExplainedRecipient {
    /// The address as SES wrote it. It is empty if SES gave none.
    pub address: String,
    /// Whether the address can be read. If it cannot, an event that ought to suppress it is kept for a person.
    pub is_readable: bool,
    /// SES's words for what happened: type and subtype.
    pub subtype: String,
    /// The recipient's `status`.
    pub status: Option<String>,
    /// The recipient's `action`.
    pub action: Option<String>,
    /// The recipient's `diagnosticCode`.
    pub diagnostic: Option<String>,
    /// The class, from which follows what Okite does.
    pub class: FeedbackClass,
    /// The judgement of a bounce. A complaint has none.
    pub judgement: Option<BounceJudgement>,
}

/// An event of SES, explained.
#[derive(Clone, Debug)]
pub struct ExplainedEvent {
    /// The event's type, as SES names it.
    pub kind: String,
    /// The recipients of a bounce or complaint. Events of other types concern no address.
    pub recipients: Vec<ExplainedRecipient>,
}

/// Explains one message of SES, by the same rules as [`super::read`].
///
/// # Errors
/// [`UnreadableFeedback`] if it is no event of SES.
pub fn explain(message: &str) -> Result<ExplainedEvent, UnreadableFeedback> {
    let value: Value = serde_json::from_str(message.trim()).map_err(|error| UnreadableFeedback::NotJson {
        line: error.line(),
        column: error.column(),
    })?;
    let mut json = Json::read(value);
    let kind = json.event_type.take().or(json.notification_type.take());
    let kind = kind.ok_or(UnreadableFeedback::NotAnEvent)?;
    let recipients = match kind.as_str() {
        "Bounce" => {
            let bounce = json.bounce.ok_or(UnreadableFeedback::Incomplete("bounce"))?;
            let words = bounce.words();
            let bounce_type = bounce.bounce_type.unwrap_or_default();
            let sub_type = bounce.bounce_sub_type.unwrap_or_default();
            let recipients = bounce.bounced_recipients.unwrap_or_default().into_iter();
            let explained = |recipient: Recipient| {
                let (class, judgement) = classify::bounce(&bounce_type, &sub_type, &recipient);
                explained(recipient, &words, class, Some(judgement))
            };
            recipients.map(explained).collect()
        }
        "Complaint" => {
            let complaint = json.complaint.ok_or(UnreadableFeedback::Incomplete("complaint"))?;
            let words = complaint.words().to_owned();
            let class = classify::complaint(
                complaint.complaint_feedback_type.as_deref().unwrap_or_default(),
                complaint.complaint_sub_type.as_deref().unwrap_or_default(),
            );
            let recipients = complaint.complained_recipients.unwrap_or_default().into_iter();
            recipients
                .map(|recipient| explained(recipient, &words, class, None))
                .collect()
        }
        _ => Vec::new(),
    };
    Ok(ExplainedEvent { kind, recipients })
}

fn explained(
    recipient: Recipient,
    subtype: &str,
    class: FeedbackClass,
    judgement: Option<BounceJudgement>,
) -> ExplainedRecipient {
    let address = recipient.email_address.as_deref().unwrap_or_default();
    ExplainedRecipient {
        is_readable: !address::read_all(address).is_empty(),
        address: recipient.email_address.unwrap_or_default(),
        subtype: subtype.to_owned(),
        status: recipient.status,
        action: recipient.action,
        diagnostic: recipient.diagnostic_code,
        class,
        judgement,
    }
}
